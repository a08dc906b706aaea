"""Answering a prompt: the cache, the model behind breaker and retry, and a trace of how it went.

    deadline ┌──────────────────────────────────────────────────────────┐
             │ cache ── miss ──> retry( breaker( deadline( model call ))) │ ──> cache, trace
             └──────────────────────────────────────────────────────────┘

The breaker is inside the retry: each call counts, and the retries end when it opens. The deadline spans all of it.
"""

import asyncio

import structlog

from api.services.cache import ResponseCache
from api.services.circuit_breaker import BreakerOpenError, CircuitBreaker, State
from api.services.errors import ClientDisconnectedError, LLMCircuitOpenError, LLMError, ServiceError
from api.services.llm_client import Answer, LLMClient, Prompt
from api.services.metrics import BREAKER_STATE, LLM_CALLS, LLM_COST, LLM_RETRIES, LLM_TOKENS
from api.services.tracing import Trace, Tracer
from api.utils.retry import retry

log = structlog.get_logger("api.llm")

_STATE_VALUES = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


class Generation(Answer):
    """An answer, and where it came from. A cached one costs nothing."""

    model: str
    cached: bool


def is_outage(error: Exception) -> bool:
    """Whether a failure says that the upstream is ill: a refusal or a rate limit does not."""
    return not isinstance(error, LLMError) or error.outage


def log_breaker_change(old: State, new: State) -> None:
    BREAKER_STATE.set(_STATE_VALUES[new])
    level = "error" if new is State.OPEN else "warning"
    getattr(log, level)("circuit breaker changed", previous=old, state=new)


class LLMService:
    """`deadline` is how long an answer may take in all, in seconds."""

    def __init__(
        self,
        client: LLMClient,
        *,
        breaker: CircuitBreaker,
        cache: ResponseCache,
        tracer: Tracer,
        deadline: float,
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._cache = cache
        self._tracer = tracer
        self._deadline = deadline

    async def generate(self, prompt: Prompt, *, user: str, request_id: str) -> Generation:
        """Raises a subclass of LLMError."""
        trace = Trace(
            request_id=request_id,
            user=user,
            model=prompt.model,
            prompt=prompt.prompt,
            system_prompt=prompt.system_prompt,
            temperature=prompt.temperature,
            max_tokens=prompt.max_tokens,
        )
        try:
            generation = await self._generate(prompt, request_id)
        except ServiceError as error:
            trace.error = error.slug
            raise
        except asyncio.CancelledError:
            trace.error = ClientDisconnectedError.slug
            raise
        except Exception:
            trace.error = ServiceError.slug
            raise
        else:
            trace = trace.model_copy(update=generation.model_dump())
            return generation
        finally:
            self._tracer.record(trace)

    async def _generate(self, prompt: Prompt, request_id: str) -> Generation:
        deadline = asyncio.get_running_loop().time() + self._deadline
        if (known := await self._cache.get(prompt)) is not None:
            return Generation(**known.model_dump(exclude={"cost"}), cost=0.0, model=prompt.model, cached=True)
        answer = await self._ask(prompt, deadline, request_id)
        self._cache.put(prompt, answer)
        LLM_TOKENS.labels(prompt.model, "prompt").inc(answer.prompt_tokens)
        LLM_TOKENS.labels(prompt.model, "completion").inc(answer.completion_tokens)
        LLM_COST.labels(prompt.model).inc(answer.cost)
        return Generation(**answer.model_dump(), model=prompt.model, cached=False)

    async def _ask(self, prompt: Prompt, deadline: float, request_id: str) -> Answer:
        async def attempt() -> Answer:
            return await self._breaker.call(call)

        async def call() -> Answer:
            try:
                answer = await self._client.complete(prompt, deadline=deadline, request_id=request_id)
            except LLMError as error:
                LLM_CALLS.labels(prompt.model, error.slug).inc()
                raise
            LLM_CALLS.labels(prompt.model, "ok").inc()
            return answer

        def before_retry(error: Exception, number: int, delay: float) -> None:
            LLM_RETRIES.labels(prompt.model).inc()
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
