"""Answers to questions that a user has asked before in other words.

    request ──> question ──> vector (/v1/embeddings) ──> nearest question of the same scope ──> its answer, or the model's

A scope is a user's requests that differ in the text of their last message alone: nobody gets what another user was
answered, and no other model, system prompt or parameter answers. Like the exact cache this one is a favour: a lookup takes
LOOKUP_TIMEOUT at most, and after a failure it rests.
"""

import asyncio
import hashlib
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.services.callers import Caller
from api.services.metrics import SEMANTIC_CACHE_LOOKUPS

log = structlog.get_logger("api.semantic_cache")

LOOKUP_TIMEOUT = 0.3
_WRITE_TIMEOUT = 2.0
_REST_AFTER_FAILURE = 5.0
_LONGEST_QUESTION = 4_000
_LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that is kept."""
_FORM = 'must be a JSON object such as {"model": "text-embedding-3-small", "threshold": 0.95, "ttl": 3600}'
_TURNS = re.compile(r"\b(?:not|no|never|none|without|cannot)\b|n[o']t\b|\d+")
"""Words and numbers that turn a question into another one, which vectors hardly show."""

Vector = Sequence[float]
Embed = Callable[[str, str], Awaitable[Vector]]
"""Returns the vector of a text by a model."""


class SemanticCacheRules(BaseModel):
    """Which model makes the vectors, how near two questions are at least (cosine), and how long an answer is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=256)]
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.95
    ttl: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600.0


def parse_semantic_cache(value: object) -> object:
    """Rules, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    try:
        return SemanticCacheRules.model_validate_json(value)
    except ValidationError:
        raise ValueError(_FORM) from None


@dataclass(frozen=True, slots=True)
class Question:
    """The last message of a request, and the digest of everything else that an answer depends on."""

    text: str
    scope: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in a store, with the text of its question."""

    text: str
    body: bytes


class VectorStore(Protocol):
    """Raises whatever its client raises."""

    async def nearest(self, scope: str, vector: Vector, *, threshold: float) -> Kept | None:
        """Return what was kept for the nearest question of a scope, unless it is too far or has expired."""

    async def keep(self, scope: str, vector: Vector, kept: Kept, *, ttl: float) -> None: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Lookup:
    """What a lookup has found; `vector` is None if that was not known in time."""

    question: Question
    body: bytes | None = None
    vector: Vector | None = None


class SemanticCache:
    def __init__(self, rules: SemanticCacheRules, store: VectorStore, embed: Embed) -> None:
        self._rules = rules
        self._store = store
        self._embed = embed
        self._resting_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def look_up(self, fields: Mapping[str, Any], caller: Caller) -> Lookup | None:
        """The answer to a question like this one; None for a request that is not for this cache. Never raises."""
        question = question_of(fields, caller)
        if question is None:
            return None
        lookup = Lookup(question)
        if time.monotonic() >= self._resting_until:
            await self._guard(self._find(lookup), LOOKUP_TIMEOUT)
        SEMANTIC_CACHE_LOOKUPS.labels("miss" if lookup.body is None else "hit").inc()
        return lookup

    def keep(self, lookup: Lookup, body: bytes) -> None:
        """Remember an answer, in the background."""
        if lookup.vector is None or len(body) > _LONGEST_ANSWER:
            return
        kept = Kept(lookup.question.text, body)
        writing = self._store.keep(lookup.question.scope, lookup.vector, kept, ttl=self._rules.ttl)
        task = asyncio.create_task(self._guard(writing, _WRITE_TIMEOUT))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_WRITE_TIMEOUT)
        await self._store.close()

    async def _find(self, lookup: Lookup) -> None:
        lookup.vector = await self._embed(self._rules.model, lookup.question.text)
        found = await self._store.nearest(
            lookup.question.scope, lookup.vector, threshold=self._rules.threshold
        )
        if found is not None and _turns(found.text) == _turns(lookup.question.text):
            lookup.body = found.body

    async def _guard(self, operation: Awaitable[None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await operation
        except Exception as error:  # noqa: BLE001  a favour: whatever it is, no caller may suffer for it
            self._resting_until = time.monotonic() + _REST_AFTER_FAILURE
            log.warning(
                "semantic cache unavailable", error=type(error).__name__, resting_s=_REST_AFTER_FAILURE
            )


def question_of(fields: Mapping[str, Any], caller: Caller) -> Question | None:
    """The question of a request whose answer does not change from call to call; None for any other."""
    *before, last = fields["messages"]
    text = last.get("content")
    varies = (
        fields.get("stream") or fields.get("temperature") or fields.get("tools") or fields.get("functions")
    )
    if varies or last.get("role") != "user" or not isinstance(text, str) or len(text) > _LONGEST_QUESTION:
        return None
    same = {**fields, "messages": [*before, {**last, "content": ""}]}
    digest = hashlib.sha256(orjson.dumps([caller.user, same], option=orjson.OPT_SORT_KEYS))
    return Question(text, digest.hexdigest())


def _turns(text: str) -> Counter[str]:
    return Counter(_TURNS.findall(text.lower()))
