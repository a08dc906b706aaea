"""The cache's entries as points of a Qdrant collection. Importing the client takes most of a second: import this late."""

import time
from typing import Any

from qdrant_client import AsyncQdrantClient
from qdrant_client.models import Distance, Filter, FilterSelector, PointStruct, VectorParams

_DIMENSIONS = 1  # points need a vector; an exact match does not


class QdrantStore:
    """Whatever goes wrong is raised as it comes from the client."""

    def __init__(self, *, url: str, collection: str, timeout: int) -> None:
        self._collection = collection
        # The compatibility check is a blocking call in the constructor.
        self._client = AsyncQdrantClient(url=url, timeout=timeout, check_compatibility=False)

    async def prepare(self) -> None:
        """Make the collection if there is none."""
        if not await self._client.collection_exists(self._collection):
            vectors = VectorParams(size=_DIMENSIONS, distance=Distance.DOT)
            await self._client.create_collection(self._collection, vectors_config=vectors)

    async def read(self, key: str) -> dict[str, Any] | None:
        """What was written under `key`, a UUID, unless it has expired."""
        points = await self._client.retrieve(self._collection, ids=[key], with_payload=True)
        if not points or points[0].payload is None or points[0].payload["expires_at"] < time.time():
            return None
        value: dict[str, Any] = points[0].payload["value"]
        return value

    async def write(self, key: str, value: dict[str, Any], *, ttl: float) -> None:
        payload = {"value": value, "expires_at": time.time() + ttl}
        point = PointStruct(id=key, vector=[0.0] * _DIMENSIONS, payload=payload)
        await self._client.upsert(self._collection, points=[point])

    async def count(self) -> int:
        return (await self._client.count(self._collection)).count

    async def clear(self) -> int:
        """Remove every entry; how many there were."""
        count = await self.count()
        await self._client.delete(self._collection, points_selector=FilterSelector(filter=Filter()))
        return count

    async def close(self) -> None:
        await self._client.close()
