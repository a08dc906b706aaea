"""The LLM service: retries, a fallback, a deadline, and what it all costs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from src.models.responses import Usage
from src.services import pricing
from src.services.budget import DailyBudget
from src.services.errors import ProviderError, ProviderTimeoutError, RateLimitedError
from src.services.providers import Completion, Prompt, Provider, Providers, StreamEnd
from src.services.retry import Sleep, retry

T = TypeVar("T")
Pieces = AsyncGenerator[str | StreamEnd, None]
logger = logging.getLogger(__name__)

FALLBACKS = {
    "gpt-4o": ("gpt-4o-mini", "claude-3-5-sonnet"),
    "claude-3-opus": ("claude-3-5-sonnet",),
}
"""Models that answer while another one is rate limited, in the order in which they are tried."""

_CHARACTERS_PER_TOKEN = 4
"""A rough average, for what no provider has counted."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds. `answer` is for a whole answer or the first piece of a stream, with all retries."""

    answer: float = 25.0
    between_pieces: float = 10.0
    stream: float = 300.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Who answered, and what it cost; the cost is None if the price is not known."""

    model: str
    usage: Usage
    cost_usd: float | None


class LLMService:
    """Answers prompts with the model asked for, or with its fallback."""

    def __init__(
        self,
        providers: Providers,
        budget: DailyBudget,
        *,
        limits: TimeLimits | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._providers = providers
        self._budget = budget
        self._limits = limits or TimeLimits()
        self._sleep = sleep

    async def complete(self, prompt: Prompt) -> tuple[Completion, Receipt]:
        """Return the answer to a prompt and its receipt. Raises a ServiceError."""
        self._budget.check()
        completion = await self._ask(prompt, _complete)
        return completion, self._charge(completion.model, completion.usage)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Receipt, None]:
        """Wait for the first piece of an answer, then return all of its pieces, with the receipt at the end.

        Raises a ServiceError, as the pieces do where the answer breaks off.
        """
        self._budget.check()
        first, rest = await self._ask(prompt, _open)
        return self._relay(prompt, first, rest)

    async def _ask(self, prompt: Prompt, call: Callable[[Provider, Prompt], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._limits.answer):
                return await self._with_fallback(prompt, call)
        except TimeoutError:
            raise ProviderTimeoutError from None

    async def _with_fallback(self, prompt: Prompt, call: Callable[[Provider, Prompt], Awaitable[T]]) -> T:
        """Call the model asked for, with retries, and while it is rate limited each of its fallbacks once."""
        provider = self._providers.for_model(prompt.model)
        try:
            return await retry(lambda: call(provider, prompt), sleep=self._sleep)
        except RateLimitedError as limited:
            for model in filter(self._providers.offers, FALLBACKS.get(pricing.undated(prompt.model), ())):
                _log_fallback(prompt.model, model)
                try:
                    return await call(self._providers.for_model(model), replace(prompt, model=model))
                except ProviderError as error:
                    logger.warning("fallback failed", extra={"fields": {"error": type(error).__name__}})
            raise limited from None

    async def _relay(
        self, prompt: Prompt, first: str | StreamEnd, rest: Pieces
    ) -> AsyncGenerator[str | Receipt, None]:
        """Yield the pieces of an answer, then its receipt. However it ends, it is charged."""
        ends = asyncio.get_running_loop().time() + self._limits.stream
        characters, piece = 0, first
        try:
            while isinstance(piece, str):
                characters += len(piece)
                yield piece
                piece = await self._next(rest, ends)
        finally:
            await rest.aclose()
            end = StreamEnd(prompt.model, None) if isinstance(piece, str) else piece
            receipt = self._charge(end.model, end.usage or _estimate(prompt, characters))
        yield receipt

    async def _next(self, pieces: Pieces, ends: float) -> str | StreamEnd:
        """Return the next piece. Raises ProviderTimeoutError if it does not come."""
        patience = asyncio.get_running_loop().time() + self._limits.between_pieces
        try:
            async with asyncio.timeout_at(min(patience, ends)):
                return await anext(pieces)
        except TimeoutError:
            raise ProviderTimeoutError from None

    def _charge(self, model: str, usage: Usage) -> Receipt:
        cost = pricing.cost(model, usage)
        fields = {"model": model, **usage.model_dump(), "cost_usd": cost}
        if cost is None:
            logger.warning("completion by a model whose price is not known", extra={"fields": fields})
        else:
            logger.info("completion", extra={"fields": fields})
            self._budget.add(cost)
        return Receipt(model, usage, cost)


async def _complete(provider: Provider, prompt: Prompt) -> Completion:
    return await provider.complete(prompt)


async def _open(provider: Provider, prompt: Prompt) -> tuple[str | StreamEnd, Pieces]:
    """Return the first piece of an answer, and the pieces that follow."""
    pieces = provider.stream(prompt)
    return await anext(pieces), pieces


def _log_fallback(model: str, fallback: str) -> None:
    logger.warning("falling back", extra={"fields": {"model": model, "fallback": fallback}})


def _estimate(prompt: Prompt, characters: int) -> Usage:
    """Return about what was used by an answer that broke off: the provider charges for it, but does not say how much."""
    asked = sum(len(message.content) for message in prompt.messages) // _CHARACTERS_PER_TOKEN
    answered = characters // _CHARACTERS_PER_TOKEN
    return Usage(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
