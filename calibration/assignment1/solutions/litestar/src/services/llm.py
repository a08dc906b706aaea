"""Which provider, how often, for how long, at what price."""

import asyncio
import time
from collections.abc import AsyncGenerator

import msgspec
import stamina
import structlog

from src.models.responses import ChatResponse
from src.services.errors import ProviderError, RateLimited, TimedOut
from src.services.limits import Purse
from src.services.pricing import cost
from src.services.providers import CALL_TIMEOUT, Answer, Ask, Provider

REQUEST_TIMEOUT = 27.0
LONGEST_WAIT = 5.0
CALLS = 4

log = structlog.get_logger()


def should_retry(error: Exception) -> bool | float:
    """stamina's backoff hook: no, yes, or yes after so many seconds."""
    if not isinstance(error, ProviderError) or not error.passing:
        return False
    if error.retry_after and error.retry_after <= LONGEST_WAIT:
        return error.retry_after
    return True


class Gateway:
    def __init__(self, openai: Provider, anthropic: Provider | None, purse: Purse) -> None:
        self.openai = openai
        self.anthropic = anthropic
        self.purse = purse

    def provider_of(self, model: str) -> Provider:
        if self.anthropic is not None and model.startswith("claude-"):
            return self.anthropic
        return self.openai

    def spare_for(self, model: str) -> str | None:
        if model != "gpt-4o":
            return None
        return "claude-3-5-sonnet" if self.anthropic is not None else "gpt-4o-mini"

    async def chat(self, ask: Ask) -> ChatResponse:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                answer = await self.answer(ask)
        except TimeoutError:
            raise TimedOut(self.provider_of(ask.model).name) from None
        return ChatResponse(
            content=answer.content,
            model=answer.model,
            usage=answer.usage,
            cost_usd=self.bill(answer),
            latency_ms=round((time.perf_counter() - began) * 1000, 2),
        )

    async def answer(self, ask: Ask) -> Answer:
        try:
            return await self.call(ask)
        except RateLimited as limited:
            spare = self.spare_for(ask.model)
            if spare is None:
                raise
            log.warning("fallback", model=ask.model, spare=spare)
            try:
                return await self.call(msgspec.structs.replace(ask, model=spare))
            except ProviderError as error:
                log.warning("fallback failed", error=str(error))
                raise limited from None

    async def call(self, ask: Ask) -> Answer:
        """The one place where calls are retried."""
        provider = self.provider_of(ask.model)
        retrying = stamina.retry_context(
            on=should_retry,
            attempts=CALLS,
            timeout=None,
            wait_initial=0.3,
            wait_max=3.0,
            wait_jitter=0.1,
        )
        async for attempt in retrying:
            with attempt:
                return await within_call_timeout(provider, ask)
        raise AssertionError("unreachable")

    async def stream(self, ask: Ask) -> AsyncGenerator[str]:
        """The text as it comes. A stream is not retried."""
        pieces = self.provider_of(ask.model).stream(ask)
        try:
            while True:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    piece = await anext(pieces)
                if isinstance(piece, Answer):
                    self.bill(piece)
                    return
                yield piece
        except TimeoutError:
            raise TimedOut(self.provider_of(ask.model).name) from None
        finally:
            await pieces.aclose()

    def bill(self, answer: Answer) -> float | None:
        dollars = cost(answer.model, answer.usage.input_tokens, answer.usage.output_tokens)
        if dollars is None:
            log.warning("no price", model=answer.model)
            return None
        self.purse.pay(dollars)
        return dollars


async def within_call_timeout(provider: Provider, ask: Ask) -> Answer:
    """httpx's own time-out begins anew with each byte."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            return await provider.complete(ask)
    except TimeoutError:
        raise TimedOut(provider.name) from None
