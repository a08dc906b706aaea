"""Calls to the model's backend: one deadline around retries around a breaker around each call.

    deadline ┌─────────────────────────────────────────────┐
             │ retry( breaker( call, and check what came )) │ ──> answer, or events of a stream
             └─────────────────────────────────────────────┘

The breaker is inside the retry: each call counts, and the retries end when it opens. A stream counts as answered for the
deadline and for the retries with its first token; what breaks it later is the breaker's to count and the caller's to be
told, in the stream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import orjson
import structlog

from api.services.answered import Answered
from api.services.chat import Chunk, Completion, Usage, read_chunks, with_usage
from api.services.circuit_breaker import BreakerOpenError, CircuitBreaker, State
from api.services.errors import LLMCircuitOpenError, LLMError
from api.services.llm_client import LLMClient, Reply
from api.services.metrics import BREAKER_STATE, LLM_CALLS, LLM_RETRIES
from api.services.prices import estimate_cost
from api.utils.error_response import error_event
from api.utils.retry import retry

T = TypeVar("T")

log = structlog.get_logger("api.llm")

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"

_STATE_VALUES = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_BYTES_PER_TOKEN = 4


def is_outage(error: Exception) -> bool:
    """Whether a failure says that the upstream is ill: a refusal or a rate limit does not."""
    return not isinstance(error, LLMError) or error.outage


def log_breaker_change(old: State, new: State) -> None:
    BREAKER_STATE.set(_STATE_VALUES[new])
    level = "error" if new is State.OPEN else "warning"
    getattr(log, level)("circuit breaker changed", previous=old, state=new)


class Gateway:
    """`deadline` is how long an answer may take, `idle` how long a stream may stand still, in seconds.

    `label` gives the name that a model has in metrics.
    Each method fills in what the answer used, and raises a subclass of LLMError.
    """

    def __init__(
        self,
        client: LLMClient,
        *,
        breaker: CircuitBreaker,
        deadline: float,
        idle: float,
        label: Callable[[str], str],
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._deadline = deadline
        self._idle = idle
        self._label = label

    def deadline(self) -> float:
        """The time on the event loop's clock by which an answer that is asked for now is due."""
        return asyncio.get_running_loop().time() + self._deadline

    async def post(
        self,
        path: str,
        answered: Answered,
        *,
        read: Callable[[bytes], Completion],
        deadline: float | None = None,
    ) -> Reply:
        """The whole answer of a path. What `read` raises of it counts as a failure of the call."""
        by = deadline or self.deadline()

        async def call() -> tuple[Reply, Completion]:
            with self._counted(answered.model):
                reply = await self._client.post(path, answered.fields, deadline=by)
                return reply, read(reply.body)

        reply, completion = await self._retry(answered.model, lambda: self._breaker.call(call), by)
        answered.response = completion.text
        _count(answered, completion.usage, reply.cost)
        return reply

    async def stream(self, answered: Answered, *, usage_too: bool) -> AsyncGenerator[bytes]:
        """The events of a chat completion, from its first token on; without its usage unless `usage_too`.

        Raises an LLMError until then. After that, an error event is the last one.
        """
        by = self.deadline()
        texts: list[str] = []
        usage: Usage | None = None
        try:
            chunk, chunks = await self._retry(answered.model, lambda: self._begin(answered, by), by)
            async with aclosing(chunks):
                try:
                    while True:
                        usage = chunk.usage or usage
                        texts.append(chunk.text)
                        if usage_too or not chunk.only_usage:
                            yield chunk.event
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                except LLMError as error:
                    log.warning("stream broke", reason=str(error))
                    answered.status = error.slug
                    yield error_event(error)
        finally:
            answered.response = "".join(texts) if texts else None
            answered.estimated = usage is None and bool(texts)
            _count(answered, usage or _estimated(answered.fields, texts), None)

    async def _begin(self, answered: Answered, by: float) -> tuple[Chunk, AsyncGenerator[Chunk]]:
        chunks = self._chunks(answered, by)
        return await anext(chunks), chunks

    async def _chunks(self, answered: Answered, by: float) -> AsyncGenerator[Chunk]:
        with self._breaker.guard() as alive, self._counted(answered.model):
            events = self._client.stream(CHAT, with_usage(answered.fields), deadline=by, idle=self._idle)
            async with aclosing(read_chunks(events)) as chunks:
                async for chunk in chunks:
                    alive()
                    yield chunk

    @contextmanager
    def _counted(self, model: str) -> Iterator[None]:
        try:
            yield
        except LLMError as error:
            LLM_CALLS.labels(self._label(model), error.slug).inc()
            raise
        LLM_CALLS.labels(self._label(model), "ok").inc()

    async def _retry(self, model: str, attempt: Callable[[], Awaitable[T]], deadline: float) -> T:
        def before_retry(error: Exception, number: int, delay: float) -> None:
            LLM_RETRIES.labels(self._label(model)).inc()
            log.warning("retrying", retry=number, delay_s=round(delay, 3), reason=str(error))

        try:
            return await retry(
                attempt, wait_at_least=self._wait_at_least, deadline=deadline, before_retry=before_retry
            )
        except BreakerOpenError as error:
            raise LLMCircuitOpenError(str(error), retry_after=error.retry_after) from None

    def _wait_at_least(self, error: Exception) -> float | None:
        if not isinstance(error, LLMError) or not error.retryable or self._breaker.state is State.OPEN:
            return None
        return error.retry_after or 0.0


def _count(answered: Answered, usage: Usage, reported_cost: float | None) -> None:
    answered.prompt_tokens, answered.completion_tokens = usage.prompt_tokens, usage.completion_tokens
    if reported_cost is None:
        reported_cost = estimate_cost(answered.model, usage.prompt_tokens, usage.completion_tokens)
    answered.cost = reported_cost


def _estimated(fields: Mapping[str, Any], texts: list[str]) -> Usage:
    """What a stream used that ended without saying so: backends send about one token in a chunk.

    A caller that leaves before the last chunk has still used what was sent.
    """
    if not texts:
        return Usage(0, 0)
    return Usage(len(orjson.dumps(fields["messages"])) // _BYTES_PER_TOKEN, len(texts))
