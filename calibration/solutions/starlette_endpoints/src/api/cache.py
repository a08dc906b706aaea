"""A semantic cache: embeddings of TEI, answers in Qdrant."""

import asyncio
import hashlib
import json
from uuid import uuid4

import aiohttp
from loguru import logger
from qdrant_client import AsyncQdrantClient
from qdrant_client.models import Distance, FieldCondition, Filter, FilterSelector, MatchValue, PointStruct, VectorParams

LIMIT = 1.5
THRESHOLD = 0.9999


class SemanticCache:
    def __init__(self, qdrant_url: str, tei_url: str, session: aiohttp.ClientSession) -> None:
        self._qdrant = AsyncQdrantClient(url=qdrant_url, timeout=2, check_compatibility=False)
        self._tei = f"{tei_url}/embed"
        self._session = session
        self._ready = False
        self.hits = self.misses = 0

    async def find(self, prompt: str, parameters: dict) -> tuple[dict | None, list[float] | None]:
        """The answer to the same question, and the embedding to store the answer under."""
        try:
            async with asyncio.timeout(LIMIT):
                vector = await self._embed(prompt)
                await self._prepare(len(vector))
                found = await self._qdrant.query_points(
                    "answers",
                    query=vector,
                    query_filter=Filter(
                        must=[FieldCondition(key="scope", match=MatchValue(value=_scope(parameters)))]
                    ),
                    score_threshold=THRESHOLD,
                    limit=1,
                )
        except Exception as e:
            logger.warning("The cache cannot be read: {}", type(e).__name__)
            return None, None
        if found.points and found.points[0].payload["prompt"].split() == prompt.split():
            self.hits += 1
            return found.points[0].payload["answer"], vector
        self.misses += 1
        return None, vector

    async def keep(self, prompt: str, parameters: dict, vector: list[float], answer: dict) -> None:
        point = PointStruct(
            id=str(uuid4()),
            vector=vector,
            payload={"scope": _scope(parameters), "prompt": prompt, "answer": answer},
        )
        try:
            async with asyncio.timeout(LIMIT):
                await self._qdrant.upsert("answers", points=[point], wait=True)
        except Exception as e:
            logger.warning("The cache cannot be written: {}", type(e).__name__)

    async def count(self) -> int:
        async with asyncio.timeout(LIMIT):
            if not await self._qdrant.collection_exists("answers"):
                return 0
            return (await self._qdrant.count("answers")).count

    async def clear(self) -> None:
        async with asyncio.timeout(LIMIT):
            if await self._qdrant.collection_exists("answers"):
                await self._qdrant.delete("answers", points_selector=FilterSelector(filter=Filter()))

    async def close(self) -> None:
        await self._qdrant.close()

    async def _embed(self, text: str) -> list[float]:
        async with self._session.post(self._tei, json={"inputs": text}) as response:
            response.raise_for_status()
            return (await response.json())[0]

    async def _prepare(self, size: int) -> None:
        if not self._ready and not await self._qdrant.collection_exists("answers"):
            await self._qdrant.create_collection(
                "answers", vectors_config=VectorParams(size=size, distance=Distance.COSINE)
            )
        self._ready = True


def _scope(parameters: dict) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
