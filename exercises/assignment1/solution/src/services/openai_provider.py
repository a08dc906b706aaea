"""OpenAI's chat completions."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Self, cast

import openai
from openai.types import CompletionUsage
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageParam,
)
from openai.types.chat.chat_completion import Choice

from src.models.responses import Usage
from src.services.errors import (
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    from_status,
)
from src.services.providers import CONNECT_SECONDS, TIMEOUT_SECONDS, Completion, Prompt, StreamEnd


class OpenAIProvider:
    """Calls OpenAI by a client of its SDK. The client must not retry: that is done in `src/services/retry.py`."""

    name = "openai"

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    @classmethod
    def connect(cls, key: str, base_url: str | None) -> Self:
        """Return a provider with a client of its own. A base URL of None is the SDK's."""
        timeout = openai.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        return cls(openai.AsyncOpenAI(api_key=key, base_url=base_url, timeout=timeout, max_retries=0))

    async def complete(self, prompt: Prompt) -> Completion:
        with _provider_errors():
            completion = await self._client.chat.completions.create(
                model=prompt.model,
                messages=_messages(prompt),
                temperature=prompt.temperature,
                max_tokens=prompt.max_tokens,
            )
            return _completion(completion)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd, None]:
        with _provider_errors():
            chunks = await self._client.chat.completions.create(
                model=prompt.model,
                messages=_messages(prompt),
                temperature=prompt.temperature,
                max_tokens=prompt.max_tokens,
                stream=True,
                stream_options={"include_usage": True},
            )
            finished, usage, model = False, None, prompt.model
            async with chunks:
                async for chunk in chunks:
                    text, last = _piece(chunk)
                    finished = finished or last
                    usage = _usage(chunk.usage) if chunk.usage else usage
                    model = chunk.model or model
                    if text:
                        yield text
            if not finished:
                raise ProviderFailedError
            yield StreamEnd(model, usage)

    async def check(self) -> None:
        with _provider_errors():
            await self._client.models.with_raw_response.list()

    async def close(self) -> None:
        await self._client.close()


def _messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    return [cast("ChatCompletionMessageParam", message.model_dump()) for message in prompt.messages]


def _completion(completion: ChatCompletion) -> Completion:
    """Read a completion. The SDK validates nothing: what it returns can be anything."""
    match completion:
        case ChatCompletion(
            model=str(model),
            choices=[Choice(message=ChatCompletionMessage(content=str(content))), *_],
            usage=CompletionUsage() as usage,
        ):
            return Completion(content, model, _usage(usage))
    raise ProviderFailedError


def _piece(chunk: ChatCompletionChunk) -> tuple[str, bool]:
    """Return the text of a chunk, and whether it says that the answer is finished."""
    if not chunk.choices:
        return "", False
    choice = chunk.choices[0]
    return choice.delta.content or "", choice.finish_reason is not None


def _usage(usage: CompletionUsage) -> Usage:
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )


@contextmanager
def _provider_errors() -> Iterator[None]:
    """Turn the SDK's exceptions into this service's. Their texts are left behind: they may quote the key."""
    try:
        yield
    except openai.APIStatusError as error:
        raise from_status(error.status_code, error.response.headers.get("retry-after")) from None
    except openai.APITimeoutError:
        raise ProviderTimeoutError from None
    except openai.APIConnectionError:
        raise ProviderUnreachableError from None
    except (openai.OpenAIError, AttributeError, TypeError, ValueError):
        # An error inside a stream, or a body that is not what the SDK's types promise.
        raise ProviderFailedError from None
