"""The provider: calls, errors, fallback and cost. The openai SDK retries."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx2
import openai
from openai.types.chat import ChatCompletion

from src.models.requests import ChatMessage
from src.models.responses import ChatResponse, TokenUsage
from src.services.limits import DailySpend
from src.services.pricing import cost_usd

log = logging.getLogger("llm")

RETRIES = 2
DEADLINE = 25.0  # of a whole request
HEALTH_DEADLINE = 4.0
LONGEST_RETRY_AFTER = 5.0

FALLBACK = {"gpt-4o": "gpt-4o-mini"}


class LLMError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Provider(Protocol):
    """What a second provider would have to have."""

    async def complete(self, **params: Any) -> ChatCompletion: ...

    def stream(self, **params: Any) -> AsyncIterator[Any]: ...

    async def reachable(self) -> bool: ...


async def drop_long_retry_after(response: httpx2.Response) -> None:
    """The SDK waits for up to two minutes if told so. Our callers do not."""
    try:
        too_long = float(response.headers.get("retry-after", "0")) > LONGEST_RETRY_AFTER
    except ValueError:
        too_long = True
    if too_long:
        del response.headers["retry-after"]


class OpenAIProvider:
    def __init__(
        self,
        api_key: str,
        transport: httpx2.AsyncBaseTransport | None = None,
        max_retries: int = RETRIES,
    ) -> None:
        self.client = openai.AsyncOpenAI(
            api_key=api_key,
            max_retries=max_retries,
            timeout=httpx2.Timeout(DEADLINE, connect=5.0),
            http_client=openai.DefaultAsyncHttpxClient(
                event_hooks={"response": [drop_long_retry_after]}, transport=transport
            ),
        )

    async def complete(self, **params: Any) -> ChatCompletion:
        completion = await self.client.chat.completions.create(**params)
        # The SDK hands on whatever came with a 200.
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise LLMError(502, "provider_error", "the provider's answer makes no sense")
        return completion

    async def stream(self, **params: Any) -> AsyncIterator[Any]:
        stream = await self.client.chat.completions.create(
            **params, stream=True, stream_options={"include_usage": True}
        )
        async with stream:
            async for chunk in stream:
                yield chunk

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(HEALTH_DEADLINE):
                await self.client.with_options(max_retries=0).models.list()
        except openai.APIStatusError as error:
            return error.status_code < 500
        except (openai.OpenAIError, TimeoutError, ValueError):
            return False
        return True


def translate(error: Exception) -> LLMError:
    """Our error for one of the SDK's. Its message is not kept: it may quote the key."""
    match error:
        case LLMError():
            return error
        case openai.APITimeoutError() | TimeoutError() | httpx2.TimeoutException():
            return LLMError(504, "provider_timeout", "the provider did not answer in time")
        case openai.RateLimitError():
            return LLMError(429, "provider_rate_limit", "the provider's rate limit is reached")
        case openai.BadRequestError() | openai.UnprocessableEntityError():
            return LLMError(400, "provider_refused", "the provider refused the request")
        case openai.APIStatusError() if error.status_code < 500:
            return LLMError(500, "provider_access", "the service cannot use the provider")
        case openai.APIConnectionError() | httpx2.TransportError():
            return LLMError(503, "provider_unreachable", "the provider cannot be reached")
    return LLMError(502, "provider_error", "the provider failed")


class LLMService:
    def __init__(self, provider: Provider, spend: DailySpend) -> None:
        self.provider = provider
        self.spend = spend

    async def chat(
        self, messages: list[ChatMessage], model: str, temperature: float, max_tokens: int
    ) -> ChatResponse:
        start = time.monotonic()
        params = {
            "messages": [message.model_dump() for message in messages],
            "temperature": temperature,
            "max_tokens": max_tokens,
        }
        try:
            async with asyncio.timeout(DEADLINE):
                completion = await self.complete(model, params)
        except (openai.OpenAIError, TimeoutError, ValueError) as error:
            log.warning("%s: %s", model, type(error).__name__)
            raise translate(error) from None
        answered_by = completion.model or model
        usage = usage_of(completion.usage)
        cost = self.bill(answered_by, usage)
        return ChatResponse(
            content=completion.choices[0].message.content or "",
            model=answered_by,
            usage=usage,
            cost=cost or 0.0,
            price_known=cost is not None,
            latency_ms=(time.monotonic() - start) * 1000,
        )

    async def complete(self, model: str, params: dict[str, Any]) -> ChatCompletion:
        try:
            return await self.provider.complete(model=model, **params)
        except openai.RateLimitError as limited:
            if model not in FALLBACK:
                raise
            log.warning("%s is rate limited, %s answers", model, FALLBACK[model])
            try:
                return await self.provider.complete(model=FALLBACK[model], **params)
            except openai.OpenAIError:
                raise limited from None

    async def chat_stream(
        self, messages: list[ChatMessage], model: str, temperature: float, max_tokens: int
    ) -> AsyncIterator[str]:
        """The text, piece by piece."""
        chunks = self.provider.stream(
            model=model,
            messages=[message.model_dump() for message in messages],
            temperature=temperature,
            max_tokens=max_tokens,
        )
        finished = False
        try:
            while (chunk := await self.next_chunk(chunks)) is not None:
                if chunk.usage:
                    self.bill(chunk.model or model, usage_of(chunk.usage))
                    finished = True
                for choice in chunk.choices[:1]:
                    finished = finished or bool(choice.finish_reason)
                    if choice.delta.content:
                        yield choice.delta.content
        except (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise translate(error) from None
        if not finished:
            raise LLMError(502, "provider_error", "the provider broke off")

    @staticmethod
    async def next_chunk(chunks: AsyncIterator[Any]) -> Any | None:
        async with asyncio.timeout(DEADLINE):
            return await anext(chunks, None)

    def bill(self, model: str, usage: TokenUsage) -> float | None:
        cost = cost_usd(model, usage.input_tokens, usage.output_tokens)
        self.spend.add(cost or 0.0)
        return cost


def usage_of(usage: Any) -> TokenUsage:
    if usage is None:
        return TokenUsage(input_tokens=0, output_tokens=0, total_tokens=0)
    return TokenUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
