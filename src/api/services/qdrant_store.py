"""The cache's entries as points of a Qdrant collection, by its REST interface.

Five calls need no client library: importing Qdrant's takes as long as the rest of the service takes to start.
"""

import time
from typing import Any

from api.utils.http_client import HttpClient

_DIMENSIONS = 1  # points need a vector; an exact match does not


class QdrantStore:
    """`timeout` in seconds, for each wait of a call. Raises httpx.HTTPError, whatever goes wrong."""

    def __init__(self, *, url: str, collection: str, timeout: float) -> None:
        self._collection = f"/collections/{collection}"
        self._client = HttpClient(base_url=url, timeout=timeout)

    async def prepare(self) -> None:
        """Make the collection if there is none."""
        if not (await self._call("GET", "/exists"))["exists"]:
            await self._call("PUT", "", {"vectors": {"size": _DIMENSIONS, "distance": "Dot"}})

    async def read(self, key: str) -> dict[str, Any] | None:
        """What was written under `key`, a UUID, unless it has expired."""
        points = await self._call("POST", "/points", {"ids": [key], "with_payload": True})
        if not points or points[0]["payload"]["expires_at"] < time.time():
            return None
        value: dict[str, Any] = points[0]["payload"]["value"]
        return value

    async def write(self, key: str, value: dict[str, Any], *, ttl: float) -> None:
        payload = {"value": value, "expires_at": time.time() + ttl}
        point = {"id": key, "vector": [0.0] * _DIMENSIONS, "payload": payload}
        await self._call("PUT", "/points?wait=true", {"points": [point]})

    async def count(self) -> int:
        return int((await self._call("POST", "/points/count", {"exact": True}))["count"])

    async def clear(self) -> int:
        """Remove every entry; how many there were."""
        count = await self.count()
        await self._call("POST", "/points/delete?wait=true", {"filter": {}})
        return count

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The `result` of a call."""
        answer = await self._client.request(method, self._collection + path, json=body)
        return answer.raise_for_status().json()["result"]
