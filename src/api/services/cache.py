"""Answers to prompts that were asked before, word for word.

The cache is a favour: where it is down, slow or empty, the model is asked. No failure of it reaches a caller, and after
one it is left alone for a moment, so that a Qdrant that hangs costs one request a fraction of a second and the next ones
nothing.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel

from api.services.errors import CacheUnavailableError
from api.services.metrics import CACHE_LOOKUPS
from api.services.prompts import Answer, Prompt
from api.services.qdrant_store import QdrantStore

T = TypeVar("T")

log = structlog.get_logger("api.cache")

LOOKUP_TIMEOUT = 0.3
_OPERATION_TIMEOUT = 2
_REST_AFTER_FAILURE = 5.0


class CacheStats(BaseModel):
    """`entries` is None where Qdrant cannot be asked; hits and misses are counted since the start."""

    available: bool
    entries: int | None
    hits: int
    misses: int
    hit_rate: float


def cache_key(prompt: Prompt) -> str:
    """A UUID: the same for the same question in every detail, model, messages and parameters."""
    question = json.dumps(prompt.model_dump(), sort_keys=True).encode()
    return str(UUID(bytes=hashlib.sha256(question).digest()[:16]))


class ResponseCache:
    """`ttl` in seconds. Without a `url` nothing is kept, and every lookup misses."""

    def __init__(self, *, url: str | None, collection: str, ttl: float) -> None:
        self._store: QdrantStore | None = None
        if url is not None:
            self._store = QdrantStore(url=url, collection=collection, timeout=_OPERATION_TIMEOUT)
        self._ttl = ttl
        self._ready = False
        self._resting_until = 0.0
        self._hits = 0
        self._misses = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Connect in the background; until that is done, every lookup misses."""
        if self._store:
            self._in_background(self._connect())

    async def get(self, prompt: Prompt) -> Answer | None:
        """The answer given before; None if there is none, or it cannot be had within LOOKUP_TIMEOUT."""
        answer = None
        if self._ready and not self._resting:
            answer = await self._guard(self._read(prompt), LOOKUP_TIMEOUT)
        self._hits += answer is not None
        self._misses += answer is None
        CACHE_LOOKUPS.labels("hit" if answer else "miss").inc()
        return answer

    def put(self, prompt: Prompt, answer: Answer) -> None:
        """Remember an answer, in the background."""
        if not self._resting:
            self._in_background(self._guard(self._write(prompt, answer), _OPERATION_TIMEOUT))

    async def stats(self) -> CacheStats:
        entries = await self._guard(self._count(), _OPERATION_TIMEOUT)
        lookups = self._hits + self._misses
        return CacheStats(
            available=entries is not None,
            entries=entries,
            hits=self._hits,
            misses=self._misses,
            hit_rate=self._hits / lookups if lookups else 0.0,
        )

    async def clear(self) -> int:
        """Forget everything; how many answers that were. Raises CacheUnavailableError."""
        count = await self._guard(self._clear(), _OPERATION_TIMEOUT)
        if count is None:
            raise CacheUnavailableError
        return count

    async def close(self) -> None:
        """Finish what is being stored, within the timeout of an operation, and disconnect."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_OPERATION_TIMEOUT)
        for task in self._tasks:
            task.cancel()
        if self._store:
            await self._store.close()

    @property
    def _resting(self) -> bool:
        return not self._store or time.monotonic() < self._resting_until

    async def _guard(self, operation: Awaitable[T], seconds: float) -> T | None:
        """The result, or None and a rest if there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return await operation
        except Exception as error:  # noqa: BLE001  a favour: whatever it is, no caller may suffer for it
            self._ready = False
            self._resting_until = time.monotonic() + _REST_AFTER_FAILURE
            log.warning("cache unavailable", error=type(error).__name__, resting_s=_REST_AFTER_FAILURE)
            return None

    def _in_background(self, operation: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(operation)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        await self._guard(self._prepared(), _OPERATION_TIMEOUT)

    async def _prepared(self) -> QdrantStore:
        """The store, with its collection in place: Qdrant may have come back empty."""
        if not self._store:
            raise CacheUnavailableError("no Qdrant is configured")
        if not self._ready:
            await self._store.prepare()
            self._ready = True
        return self._store

    async def _read(self, prompt: Prompt) -> Answer | None:
        store = await self._prepared()
        value = await store.read(cache_key(prompt))
        return None if value is None else Answer.model_validate(value)

    async def _write(self, prompt: Prompt, answer: Answer) -> None:
        store = await self._prepared()
        await store.write(
            cache_key(prompt), answer.model_dump(include=set(Answer.model_fields)), ttl=self._ttl
        )

    async def _count(self) -> int:
        return await (await self._prepared()).count()

    async def _clear(self) -> int:
        return await (await self._prepared()).clear()
