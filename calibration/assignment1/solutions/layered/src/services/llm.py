"""The service layer: picks the provider, retries, falls back, and counts the cost."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from src.services.budget import DailyBudget
from src.services.errors import LLMError, ProviderTimeout, RateLimited
from src.services.pricing import cost_of
from src.services.providers.base import Completion, Prompt, Provider, StreamEnd

logger = logging.getLogger(__name__)

ATTEMPTS = 4
DEADLINE = 25.0  # seconds for a request, with all its retries and a fallback
PIECE_DEADLINE = 25.0  # seconds between two pieces of a stream
MAX_RETRY_AFTER = 5.0  # a provider that asks for more is not waited for
FALLBACKS = {"gpt-4o": "gpt-4o-mini"}

# 0.4, 0.8 and 1.6 s, and a little at random.
backoff = wait_exponential(multiplier=0.4, max=4.0) + wait_random(0, 0.2)


@dataclass(frozen=True, slots=True)
class Result:
    completion: Completion
    cost: float | None
    latency_ms: float


def is_retryable(error: BaseException) -> bool:
    return isinstance(error, LLMError) and error.retryable


def pause(state: RetryCallState) -> float:
    """The provider's Retry-After where it is a short one, else exponential."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, LLMError) else None
    if asked is not None and 0 < asked <= MAX_RETRY_AFTER:
        return asked
    return backoff(state)


class LLMService:
    def __init__(
        self,
        providers: dict[str, Provider],
        budget: DailyBudget,
        deadline: float = DEADLINE,
    ) -> None:
        self.providers = providers
        self.budget = budget
        self.deadline = deadline

    def provider_for(self, model: str) -> Provider:
        if model.startswith("claude-") and "anthropic" in self.providers:
            return self.providers["anthropic"]
        return self.providers["openai"]

    async def complete(self, prompt: Prompt) -> Result:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.deadline):
                completion = await self._complete_or_fall_back(prompt)
        except TimeoutError as error:
            raise ProviderTimeout from error
        cost = self._charge(completion.model, completion.input_tokens, completion.output_tokens)
        latency_ms = (time.perf_counter() - started) * 1000
        return Result(completion, cost, round(latency_ms, 1))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd]:
        """The text in pieces. Not retried: what has been sent cannot be taken back."""
        pieces = self.provider_for(prompt.model).stream(prompt)
        try:
            while True:
                async with asyncio.timeout(PIECE_DEADLINE):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                if isinstance(piece, StreamEnd):
                    self._charge(piece.model, piece.input_tokens, piece.output_tokens)
                yield piece
        except TimeoutError as error:
            raise ProviderTimeout from error
        finally:
            await pieces.aclose()

    async def close(self) -> None:
        for provider in self.providers.values():
            await provider.close()

    async def _complete_or_fall_back(self, prompt: Prompt) -> Completion:
        try:
            return await self._complete_with_retries(prompt)
        except RateLimited as limited:
            other = FALLBACKS.get(prompt.model)
            if other is None:
                raise
            logger.warning("%s stays rate limited, asking %s", prompt.model, other)
            try:
                return await self._complete_with_retries(replace(prompt, model=other))
            except LLMError:
                raise limited from None

    async def _complete_with_retries(self, prompt: Prompt) -> Completion:
        provider = self.provider_for(prompt.model)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=pause,
            retry=retry_if_exception(is_retryable),
            before_sleep=log_retry,
            reraise=True,
        )
        return await retrying(provider.complete, prompt)

    def _charge(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        cost = cost_of(model, input_tokens, output_tokens)
        self.budget.add(cost)
        return cost


def log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("attempt %d: %s", state.attempt_number, type(error).__name__)
