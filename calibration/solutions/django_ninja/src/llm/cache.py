import hashlib
import uuid
from typing import Any

import aiohttp

from llm.errors import ApiError
from llm.model import Generation

COLLECTION = "/collections/llm_cache"


class CacheDown(ApiError):
    def __init__(self, cause: object) -> None:
        super().__init__(503, "The cache is not available", cause=cause)


class Cache:
    """Answers to questions that were asked before, in Qdrant."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.hits = 0
        self.misses = 0

    async def create(self) -> None:
        if await self._call("GET", COLLECTION) is None:
            await self._call("PUT", COLLECTION, {"vectors": {"size": 1, "distance": "Dot"}})

    async def get(self, question: str) -> Generation | None:
        found = await self._call("POST", f"{COLLECTION}/points", {"ids": [point_id(question)], "with_payload": True})
        if not found or not found["result"]:
            self.misses += 1
            return None
        self.hits += 1
        return Generation(**{**found["result"][0]["payload"], "cached": True})

    async def put(self, question: str, generation: Generation) -> None:
        point = {"id": point_id(question), "vector": [1.0], "payload": generation.model_dump()}
        if await self._call("PUT", f"{COLLECTION}/points", {"points": [point]}) is None:
            await self.create()
            await self._call("PUT", f"{COLLECTION}/points", {"points": [point]})

    async def count(self) -> int:
        answer = await self._call("POST", f"{COLLECTION}/points/count", {"exact": True})
        return answer["result"]["count"] if answer else 0

    async def clear(self) -> None:
        await self._call("POST", f"{COLLECTION}/points/delete", {"filter": {}})

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """None if there is no collection."""
        try:
            async with self.session.request(method, path, json=body) as response:
                if response.status == 404:
                    return None
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as e:
            raise CacheDown(e) from e


def point_id(question: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(question.encode()).digest()[:16]))
