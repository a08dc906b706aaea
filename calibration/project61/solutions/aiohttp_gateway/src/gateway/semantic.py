"""A semantic cache in Redis: answers by user, model and request, found by the question's vector."""

import array
import base64
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from .backend import Backend
from .errors import ApiError
from .limits import SharedStore
from .metrics import Metrics
from .settings import CacheSettings

log = structlog.get_logger("gateway.cache")

MOST = 100


def cosine(one: list[float], other: list[float]) -> float:
    if len(one) != len(other):
        return 0
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else 0


def pack(vector: list[float]) -> str:
    return base64.b64encode(array.array("d", vector).tobytes()).decode()


def unpack(text: str) -> list[float]:
    return array.array("d", base64.b64decode(text)).tolist()


@dataclass
class Lookup:
    """A question whose answer may be kept."""

    key: str
    question: str
    vector: list[float] | None = None


def question_of(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The last user message's text, and the rest of the request."""
    if body.get("stream") or body.get("tools") or body.get("functions"):
        return None
    if body.get("temperature") not in (None, 0):
        return None
    messages = body["messages"]
    last = messages[-1]
    if not isinstance(last, dict) or last.get("role") != "user" or not isinstance(last.get("content"), str):
        return None
    rest = {name: value for name, value in body.items() if value is not None and name != "stream"}
    rest["messages"] = [*messages[:-1], {**last, "content": None}]
    return last["content"], rest


class SemanticCache:
    def __init__(
        self, settings: CacheSettings | None, store: SharedStore, backend: Backend, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._store = store
        self._backend = backend
        self._metrics = metrics

    def lookup(self, user: str, body: Mapping[str, Any]) -> Lookup | None:
        if self._settings is None:
            return None
        found = question_of(body)
        if found is None:
            return None
        question, rest = found
        print_of = hashlib.sha256(json.dumps([user, rest], sort_keys=True).encode()).hexdigest()
        return Lookup(f"gateway:answers:{print_of}", question)

    async def find(self, lookup: Lookup) -> bytes | None:
        assert self._settings is not None
        try:
            lines = await self._store.call("LRANGE", lookup.key, 0, MOST)
            kept = [json.loads(line) for line in lines]
        except RedisError:
            return None
        kept = [one for one in kept if one["until"] > time.time()]
        hashed = hashlib.sha256(lookup.question.encode("utf-8", "replace")).hexdigest()
        for one in kept:
            if one["hash"] == hashed:
                return self._hit(one)
        lookup.vector = await self._embed(lookup.question)
        if lookup.vector is not None and kept:
            scored = [(cosine(lookup.vector, unpack(one["vector"])), number) for number, one in enumerate(kept)]
            best, number = max(scored)
            if best >= self._settings.threshold:
                return self._hit(kept[number])
        self._metrics.cache.labels("miss").inc()
        return None

    def _hit(self, one: dict[str, Any]) -> bytes:
        self._metrics.cache.labels("hit").inc()
        return one["answer"].encode()

    async def keep(self, lookup: Lookup, answer: bytes) -> None:
        assert self._settings is not None
        if lookup.vector is None or len(answer) > 256 * 1024:
            return
        entry = json.dumps({
            "until": time.time() + self._settings.ttl,
            "hash": hashlib.sha256(lookup.question.encode("utf-8", "replace")).hexdigest(),
            "vector": pack(lookup.vector),
            "answer": answer.decode("utf-8", "replace"),
        })
        try:
            await self._store.call("LPUSH", lookup.key, entry)
            await self._store.call("LTRIM", lookup.key, 0, MOST - 1)
            await self._store.call("PEXPIRE", lookup.key, max(1, int(self._settings.ttl * 1000)))
        except RedisError:
            log.warning("an answer is not cached: redis is down")

    async def _embed(self, question: str) -> list[float] | None:
        assert self._settings is not None
        try:
            answer = await self._backend.ask(
                "POST", "/v1/embeddings", {"model": self._settings.model, "input": question}
            )
            return [float(number) for number in answer.document["data"][0]["embedding"]]
        except (ApiError, KeyError, IndexError, TypeError, ValueError):
            log.warning("a question has no vector and is not cached")
            return None
