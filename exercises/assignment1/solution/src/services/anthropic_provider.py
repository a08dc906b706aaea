"""Anthropic's Messages API."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Self, cast

import anthropic
import httpx2
from anthropic.types import (
    Message,
    MessageParam,
    RawContentBlockDeltaEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
    TextBlock,
    TextDelta,
)

from src.models.responses import Usage
from src.services.errors import (
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    from_status,
)
from src.services.providers import CONNECT_SECONDS, TIMEOUT_SECONDS, Completion, Prompt, StreamEnd

_HIGHEST_TEMPERATURE = 1.0


class AnthropicProvider:
    """Calls Anthropic by a client of its SDK. The client must not retry: that is done in `src/services/retry.py`."""

    name = "anthropic"

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client

    @classmethod
    def connect(cls, key: str, base_url: str | None) -> Self:
        """Return a provider with a client of its own. A base URL of None is the SDK's."""
        timeout = anthropic.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        return cls(anthropic.AsyncAnthropic(api_key=key, base_url=base_url, timeout=timeout, max_retries=0))

    async def complete(self, prompt: Prompt) -> Completion:
        with _provider_errors():
            message = await self._client.messages.create(
                model=prompt.model,
                messages=_messages(prompt),
                system=_system(prompt),
                max_tokens=prompt.max_tokens,
                extra_body=_temperature(prompt),
            )
            return _completion(message)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd, None]:
        with _provider_errors():
            events = await self._client.messages.create(
                model=prompt.model,
                messages=_messages(prompt),
                system=_system(prompt),
                max_tokens=prompt.max_tokens,
                extra_body=_temperature(prompt),
                stream=True,
            )
            finished, model, input_tokens, output_tokens = False, prompt.model, 0, 0
            async with events:
                async for event in events:
                    match event:
                        case RawMessageStartEvent(message=message):
                            model, input_tokens = message.model, message.usage.input_tokens
                        case RawContentBlockDeltaEvent(delta=TextDelta(text=text)) if text:
                            yield text
                        case RawMessageDeltaEvent(usage=usage):
                            output_tokens = usage.output_tokens
                        case RawMessageStopEvent():
                            finished = True
            if not finished:
                raise ProviderFailedError
            yield StreamEnd(model, _usage(input_tokens, output_tokens))

    async def check(self) -> None:
        with _provider_errors():
            await self._client.models.with_raw_response.list()

    async def close(self) -> None:
        await self._client.close()


def _messages(prompt: Prompt) -> list[MessageParam]:
    return [cast("MessageParam", one.model_dump()) for one in prompt.messages if one.role != "system"]


def _system(prompt: Prompt) -> str | anthropic.Omit:
    """Return the system messages, which this API takes apart from the others."""
    texts = [one.content for one in prompt.messages if one.role == "system"]
    return "\n\n".join(texts) if texts else anthropic.omit


def _temperature(prompt: Prompt) -> dict[str, float]:
    """Return the temperature as the API takes it, at most 1. The SDK has no parameter for it any more."""
    return {"temperature": min(prompt.temperature, _HIGHEST_TEMPERATURE)}


def _completion(message: Message) -> Completion:
    """Read a message. The SDK validates nothing: what it returns can be anything."""
    match message:
        case Message(model=str(model), content=list(blocks), usage=anthropic.types.Usage() as usage):
            texts = [block.text for block in blocks if isinstance(block, TextBlock)]
            if texts:
                return Completion("".join(texts), model, _usage(usage.input_tokens, usage.output_tokens))
    raise ProviderFailedError


def _usage(input_tokens: int, output_tokens: int) -> Usage:
    return Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens
    )


@contextmanager
def _provider_errors() -> Iterator[None]:
    """Turn the SDK's exceptions into this service's. Their texts are left behind: they may quote the key."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise from_status(error.status_code, error.response.headers.get("retry-after")) from None
    except (anthropic.APITimeoutError, httpx2.TimeoutException):
        raise ProviderTimeoutError from None
    except (anthropic.APIConnectionError, httpx2.HTTPError):
        raise ProviderUnreachableError from None
    except (anthropic.AnthropicError, AttributeError, TypeError, ValueError):
        # An error inside a stream, or a body that is not what the SDK's types promise.
        raise ProviderFailedError from None
