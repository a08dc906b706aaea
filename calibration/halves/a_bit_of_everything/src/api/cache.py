import asyncio
import hashlib
import logging
import uuid

import httpx

log = logging.getLogger("api.cache")
COLLECTION = "answers"


class Cache:
    """Exact matches in Qdrant, by its REST interface. A cache that is not there is a miss."""

    def __init__(self, url: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, timeout=1.0)
        self.hits = self.misses = 0
        self.ready = False
        self.pending: set[asyncio.Task[None]] = set()

    @staticmethod
    def key(question: str) -> str:
        return str(uuid.UUID(bytes=hashlib.sha256(question.encode()).digest()[:16]))

    async def _prepare(self) -> None:
        if not self.ready:
            found = await self.client.get(f"/collections/{COLLECTION}")
            if found.status_code == 404:
                made = await self.client.put(
                    f"/collections/{COLLECTION}", json={"vectors": {"size": 1, "distance": "Dot"}}
                )
                made.raise_for_status()
            self.ready = True

    async def get(self, question: str) -> dict | None:
        try:
            async with asyncio.timeout(1.0):
                await self._prepare()
                answer = await self.client.post(
                    f"/collections/{COLLECTION}/points", json={"ids": [self.key(question)], "with_payload": True}
                )
                answer.raise_for_status()
            points = answer.json()["result"]
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as e:
            log.warning("cache not available: %s", type(e).__name__)
            points = []
        if points:
            self.hits += 1
            return points[0]["payload"]
        self.misses += 1
        return None

    def put(self, question: str, payload: dict) -> None:
        task = asyncio.create_task(self._put(self.key(question), payload))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def _put(self, key: str, payload: dict) -> None:
        point = {"id": key, "vector": [0.0], "payload": payload}
        try:
            answer = await self.client.put(f"/collections/{COLLECTION}/points?wait=true", json={"points": [point]})
            answer.raise_for_status()
        except httpx.HTTPError as e:
            log.warning("could not be cached: %s", type(e).__name__)

    async def clear(self) -> None:
        self.ready = False
        (await self.client.delete(f"/collections/{COLLECTION}")).raise_for_status()

    async def close(self) -> None:
        if self.pending:
            await asyncio.wait(self.pending, timeout=2)
        await self.client.aclose()
