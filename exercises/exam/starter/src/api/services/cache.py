import hashlib
from uuid import UUID

from qdrant_client import AsyncQdrantClient
from qdrant_client.models import Distance, Filter, FilterSelector, PointStruct, VectorParams

from api.config.settings import settings


class Cache:
    """Answers to questions that were asked before, in Qdrant."""

    def __init__(self) -> None:
        self.client = AsyncQdrantClient(url=settings.qdrant_url, check_compatibility=False)
        self.collection = settings.cache_collection
        self.hits = 0
        self.misses = 0

    async def connect(self) -> None:
        try:
            if not await self.client.collection_exists(self.collection):
                await self.client.create_collection(
                    self.collection, vectors_config=VectorParams(size=1, distance=Distance.DOT)
                )
        except Exception as e:
            print(f"Cache not available: {e}")

    async def get(self, question: str) -> dict | None:
        try:
            points = await self.client.retrieve(self.collection, ids=[self._id(question)])
        except Exception as e:
            print(f"Cache read failed: {e}")
            points = []
        if points:
            self.hits += 1
            return points[0].payload
        self.misses += 1
        return None

    async def put(self, question: str, answer: dict) -> None:
        try:
            point = PointStruct(id=self._id(question), vector=[0.0], payload=answer)
            await self.client.upsert(self.collection, points=[point])
        except Exception as e:
            print(f"Cache write failed: {e}")

    async def count(self) -> int:
        return (await self.client.count(self.collection)).count

    async def clear(self) -> None:
        await self.client.delete(self.collection, points_selector=FilterSelector(filter=Filter()))

    async def close(self) -> None:
        await self.client.close()

    def _id(self, question: str) -> str:
        return str(UUID(bytes=hashlib.sha256(question.encode()).digest()[:16]))


cache = Cache()
