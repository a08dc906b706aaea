"""Answering callers: in OpenAI's form, whole or as a stream, and prompts by themselves, which are cached.

All go the same way to the model (`gateway`), and all are reported at their end (`answered`).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from api.services.answered import Answered, Observers
from api.services.cache import ResponseCache
from api.services.callers import Caller
from api.services.chat import read_completion, read_embeddings, read_text_completion, wants_usage
from api.services.errors import LLMQuotaExhaustedError, LLMRateLimitedError
from api.services.gateway import CHAT, EMBEDDINGS, Gateway
from api.services.metrics import MODEL_CHOICES
from api.services.prompts import Answer, Prompt
from api.services.semantic_cache import SemanticCache

T = TypeVar("T")


class Generation(Answer):
    """An answer, and where it came from. A cached one costs nothing."""

    model: str
    cached: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer as the backend gave it; `headers` tell whether that was to an earlier question."""

    body: bytes
    headers: Mapping[str, str]


HIT, MISS = {"X-Cache": "hit"}, {"X-Cache": "miss"}


class LLMService:
    """Every method raises a subclass of LLMError. Without `semantic` no answer is given twice under `/v1`."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        cache: ResponseCache,
        observers: Observers,
        semantic: SemanticCache | None = None,
    ) -> None:
        self._gateway = gateway
        self._cache = cache
        self._observers = observers
        self._semantic = semantic

    async def complete(
        self, fields: Mapping[str, Any], caller: Caller, *, fallback: str | None = None
    ) -> Whole:
        """The backend's answer to a chat request, as it is; by `fallback` if the model is rate limited."""
        with self._observers.answering(fields, caller=caller) as answered:
            deadline = self._gateway.deadline()
            lookup = await self._semantic.look_up(fields, caller) if self._semantic else None
            if lookup and lookup.body is not None:
                answered.cached = True
                return Whole(lookup.body, HIT)

            async def ask() -> bytes:
                return (
                    await self._gateway.post(CHAT, answered, read=read_completion, deadline=deadline)
                ).body

            body = await _with_fallback(answered, fallback, ask)
            if self._semantic and lookup:
                self._semantic.keep(lookup, body)
            return Whole(body, MISS if lookup else {})

    async def embed(self, fields: Mapping[str, Any], caller: Caller) -> bytes:
        """The backend's embeddings, as they are."""
        with self._observers.answering(fields, caller=caller) as answered:
            return (await self._gateway.post(EMBEDDINGS, answered, read=read_embeddings)).body

    async def stream(
        self, fields: Mapping[str, Any], caller: Caller, *, fallback: str | None = None
    ) -> tuple[bytes, AsyncGenerator[bytes]]:
        """The first event of a streamed answer, and those to come, which must be closed."""
        events = self._stream(fields, caller, fallback)
        return await anext(events), events

    async def _stream(
        self, fields: Mapping[str, Any], caller: Caller, fallback: str | None
    ) -> AsyncGenerator[bytes]:
        with self._observers.answering(fields, caller=caller, streamed=True) as answered:

            async def begin() -> tuple[bytes, AsyncGenerator[bytes]]:
                events = self._gateway.stream(answered, usage_too=wants_usage(fields))
                return await anext(events), events

            first, events = await _with_fallback(answered, fallback, begin)
            async with aclosing(events):
                yield first
                async for event in events:
                    yield event

    async def generate(self, prompt: Prompt, caller: Caller) -> Generation:
        """The model's text; word for word the same prompt is answered from the cache."""
        with self._observers.answering(prompt.fields, caller=caller) as answered:
            deadline = self._gateway.deadline()
            known = await self._cache.get(prompt)
            if known is None:
                await self._gateway.post(CHAT, answered, read=read_text_completion, deadline=deadline)
            else:
                answered.cached = True
                answered.response = known.response
                answered.prompt_tokens = known.prompt_tokens
                answered.completion_tokens = known.completion_tokens
            answer = Answer(
                response=answered.response or "",
                prompt_tokens=answered.prompt_tokens,
                completion_tokens=answered.completion_tokens,
                total_tokens=answered.prompt_tokens + answered.completion_tokens,
                cost=answered.cost,
            )
            if known is None:
                self._cache.put(prompt, answer)
            return Generation(**answer.model_dump(), model=prompt.model, cached=answered.cached)


async def _with_fallback(answered: Answered, fallback: str | None, ask: Callable[[], Awaitable[T]]) -> T:
    """Await `ask()`, and again for the model `fallback` if the first one is rate limited."""
    try:
        return await ask()
    except (LLMRateLimitedError, LLMQuotaExhaustedError):
        if fallback is None or fallback == answered.model:
            raise
    MODEL_CHOICES.labels(fallback, "fallback").inc()
    answered.model = fallback
    answered.fields = {**answered.fields, "model": fallback}
    return await ask()
