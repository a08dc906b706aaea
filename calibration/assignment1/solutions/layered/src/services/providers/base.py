"""The interface that every provider has, and what they share: HTTP and its failures."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from src.models.requests import Message
from src.services.errors import (
    BadAnswer,
    LLMError,
    Misconfigured,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestRefused,
)

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=50)


@dataclass(frozen=True, slots=True)
class Prompt:
    model: str
    messages: list[Message]
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    content: str
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last thing in a stream: what it came to."""

    model: str
    input_tokens: int
    output_tokens: int


class Provider(ABC):
    name: str

    @abstractmethod
    async def complete(self, prompt: Prompt) -> Completion:
        """One call, without retries. Raises an LLMError."""

    @abstractmethod
    def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd]:
        """The pieces of the text, then a StreamEnd. Raises an LLMError."""

    @abstractmethod
    async def ping(self) -> None:
        """Something that costs nothing. Raises an LLMError."""

    @abstractmethod
    async def close(self) -> None: ...


class HTTPProvider(Provider):
    """A provider by plain HTTP."""

    ping_path: str

    def __init__(
        self,
        base_url: str,
        headers: dict[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=TIMEOUT, limits=LIMITS, transport=transport
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def ping(self) -> None:
        with translated_errors():
            response = await self._client.get(self.ping_path)
        if response.status_code >= 500:
            raise ProviderFailed

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with translated_errors():
            response = await self._client.post(path, json=body)
        if error := error_of(response):
            raise error
        try:
            data = response.json()
        except ValueError as error:
            raise BadAnswer from error
        if not isinstance(data, dict):
            raise BadAnswer
        return data

    async def post_stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The JSON documents of a stream of server-sent events."""
        with translated_errors():
            async with self._client.stream("POST", path, json=body) as response:
                if error := error_of(response):
                    raise error
                async for line in response.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line.removeprefix("data:").strip()
                    if data == "[DONE]":
                        return
                    yield json.loads(data)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns httpx's exceptions into ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ProviderTimeout from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise ProviderUnreachable from error
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise BadAnswer from error


def error_of(response: httpx.Response) -> LLMError | None:
    """The error that a status means, or None for a success."""
    status = response.status_code
    if status == 429:
        return RateLimited(retry_after=retry_after_of(response))
    if status >= 500:
        return ProviderFailed(retry_after=retry_after_of(response))
    if status in (400, 413, 422):
        return RequestRefused()
    if status >= 400:
        return Misconfigured()
    return None if status < 300 else BadAnswer()


def retry_after_of(response: httpx.Response) -> float | None:
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if seconds >= 0 else None
