"""Where the semantic cache keeps its answers: in a Qdrant collection, or in this process where there is none."""

import base64
import time
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul
from typing import Any
from uuid import uuid4

import httpx

from api.services.semantic_cache import Kept, Vector, VectorStore
from api.utils.http_client import HttpClient

MOST_SCOPES = 100
MOST_QUESTIONS = 50
"""Of a scope: comparing with all of them takes about 3 ms."""


def open_store(url: str | None, *, collection: str, timeout: float) -> VectorStore:
    """A store in the Qdrant at `url`, or in memory without one; `timeout` is in seconds, for each wait of a call."""
    return MemoryStore() if url is None else QdrantStore(url, collection=collection, timeout=timeout)


@dataclass(frozen=True, slots=True)
class _Entry:
    vector: "array[float]"
    kept: Kept
    expires_at: float


class MemoryStore:
    """Bounded: the scope that was not used for the longest time goes first, and of a scope the oldest question."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._scopes: OrderedDict[str, deque[_Entry]] = OrderedDict()
        self._clock = clock

    async def nearest(self, scope: str, vector: Vector, *, threshold: float) -> Kept | None:
        entries = self._scopes.get(scope)
        if entries is None:
            return None
        self._scopes.move_to_end(scope)
        wanted, now = _unit(vector), self._clock()
        near = [
            (sum(map(mul, wanted, one.vector)), position, one.kept)
            for position, one in enumerate(entries)
            if one.expires_at > now and len(one.vector) == len(wanted)
        ]
        score, _, kept = max(near, default=(0.0, 0, None))
        return kept if score >= threshold else None

    async def keep(self, scope: str, vector: Vector, kept: Kept, *, ttl: float) -> None:
        entries = self._scopes.setdefault(scope, deque(maxlen=MOST_QUESTIONS))
        entries.append(_Entry(_unit(vector), kept, self._clock() + ttl))
        self._scopes.move_to_end(scope)
        if len(self._scopes) > MOST_SCOPES:
            self._scopes.popitem(last=False)

    async def close(self) -> None:
        self._scopes.clear()


class QdrantStore:
    """Raises httpx.HTTPError, whatever goes wrong. The collection is made with the first answer, for its dimensions."""

    def __init__(self, url: str, *, collection: str, timeout: float) -> None:
        self._collection = f"/collections/{collection}"
        self._client = HttpClient(base_url=url, timeout=timeout)

    async def nearest(self, scope: str, vector: Vector, *, threshold: float) -> Kept | None:
        body = {
            "query": list(vector),
            "limit": 1,
            "score_threshold": threshold,
            "with_payload": True,
            "filter": {
                "must": [
                    {"key": "scope", "match": {"value": scope}},
                    {"key": "expires_at", "range": {"gt": time.time()}},
                ]
            },
        }
        answer = await self._client.post(f"{self._collection}/points/query", json=body)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        points = answer.raise_for_status().json()["result"]["points"]
        if not points:
            return None
        payload: dict[str, Any] = points[0]["payload"]
        return Kept(payload["text"], base64.b64decode(payload["body"]))

    async def keep(self, scope: str, vector: Vector, kept: Kept, *, ttl: float) -> None:
        now = time.time()
        payload = {
            "scope": scope,
            "text": kept.text,
            "body": base64.b64encode(kept.body).decode(),
            "expires_at": now + ttl,
        }
        point = {"id": str(uuid4()), "vector": list(vector), "payload": payload}
        if not (await self._call("GET", "/exists"))["exists"]:
            await self._call("PUT", "", {"vectors": {"size": len(vector), "distance": "Cosine"}})
        await self._call("PUT", "/points?wait=true", {"points": [point]})
        expired = {"must": [{"key": "expires_at", "range": {"lte": now}}]}
        await self._call("POST", "/points/delete", {"filter": expired})

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The `result` of a call."""
        answer = await self._client.request(method, self._collection + path, json=body)
        return answer.raise_for_status().json()["result"]


def _unit(vector: Vector) -> "array[float]":
    length = sum(map(mul, vector, vector)) ** 0.5 or 1.0
    return array("f", (number / length for number in vector))
