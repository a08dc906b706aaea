"""The two providers, by plain httpx."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import msgspec

from src.models.requests import Message
from src.models.responses import Usage


class ProviderError(Exception):
    """The provider failed, or what it sent is no answer."""

    transient = False


class Transient(ProviderError):
    transient = True


class Unreachable(Transient):
    pass


class Refused(ProviderError):
    """The provider refused the request itself (400)."""


class RateLimited(Transient):
    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("rate limited")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Completion:
    content: str
    model: str
    usage: Usage


@dataclass(frozen=True)
class Prompt:
    model: str
    messages: list[Message]
    temperature: float
    max_tokens: int


class Provider(Protocol):
    async def complete(self, prompt: Prompt) -> Completion: ...

    def stream(self, prompt: Prompt) -> AsyncIterator[str | Usage]: ...


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


def _raise_for(response: httpx.Response) -> None:
    match response.status_code:
        case 200:
            return
        case 429:
            raise RateLimited(_seconds(response.headers.get("retry-after")))
        case 400:
            raise Refused("the provider refused the request")
        case 500 | 502 | 503 | 504 as status:
            raise Transient(f"the provider answered {status}")
        case status:
            raise ProviderError(f"the provider answered {status}")


def _count(usage: Any, name: str) -> int:
    value = usage.get(name, 0)
    return value if isinstance(value, int) else 0


class _Http:
    """One HTTP call, with httpx's errors told apart."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, url: str, headers: dict[str, str], body: dict[str, Any]) -> Any:
        try:
            response = await self._client.post(url, headers=headers, json=body)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise Unreachable(type(error).__name__) from None
        _raise_for(response)
        try:
            return msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProviderError("the provider sent no JSON") from None

    @asynccontextmanager
    async def events(self, url: str, headers: dict[str, str], body: dict[str, Any]):
        try:
            async with self._client.stream("POST", url, headers=headers, json=body) as response:
                _raise_for(response)
                yield self._data(response)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise Unreachable(type(error).__name__) from None

    @staticmethod
    async def _data(response: httpx.Response) -> AsyncIterator[str]:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                yield line.removeprefix("data:").strip()


class OpenAI:
    def __init__(self, client: httpx.AsyncClient, base_url: str, key: str) -> None:
        self._http = _Http(client)
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": prompt.model,
            "messages": [msgspec.to_builtins(message) for message in prompt.messages],
            "temperature": prompt.temperature,
            "max_tokens": prompt.max_tokens,
        }

    @staticmethod
    def _usage(usage: Any) -> Usage:
        return Usage(
            _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), _count(usage, "total_tokens")
        )

    async def complete(self, prompt: Prompt) -> Completion:
        answer = await self._http.post(self._url, self._headers, self._body(prompt))
        try:
            content = answer["choices"][0]["message"]["content"]
            if not isinstance(content, str):
                raise TypeError("no text")
            return Completion(content, answer["model"], self._usage(answer["usage"]))
        except (LookupError, TypeError, AttributeError):
            raise ProviderError("the provider sent no completion") from None

    async def stream(self, prompt: Prompt) -> AsyncIterator[str | Usage]:
        body = {**self._body(prompt), "stream": True, "stream_options": {"include_usage": True}}
        async with self._http.events(self._url, self._headers, body) as events, aclosing(events):
            async for data in events:
                if data == "[DONE]":
                    return
                try:
                    chunk = msgspec.json.decode(data)
                    if "error" in chunk:
                        raise ProviderError("the provider ended the stream with an error")
                    if chunk.get("usage"):
                        yield self._usage(chunk["usage"])
                    for choice in chunk["choices"]:
                        if text := choice["delta"].get("content"):
                            yield text
                except (LookupError, TypeError, AttributeError, msgspec.DecodeError):
                    raise ProviderError("the provider sent a broken stream") from None
            raise ProviderError("the stream ended early")


class Anthropic:
    def __init__(self, client: httpx.AsyncClient, base_url: str, key: str) -> None:
        self._http = _Http(client)
        self._url = base_url.rstrip("/") + "/v1/messages"
        self._headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": prompt.model,
            "messages": [msgspec.to_builtins(m) for m in prompt.messages if m.role != "system"],
            "temperature": min(prompt.temperature, 1.0),
            "max_tokens": prompt.max_tokens,
        }
        if prompt.messages[0].role == "system":
            body["system"] = prompt.messages[0].content
        return body

    async def complete(self, prompt: Prompt) -> Completion:
        answer = await self._http.post(self._url, self._headers, self._body(prompt))
        try:
            content = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
            used = _count(answer["usage"], "input_tokens"), _count(answer["usage"], "output_tokens")
            return Completion(content, answer["model"], Usage(*used, sum(used)))
        except (LookupError, TypeError, AttributeError):
            raise ProviderError("the provider sent no completion") from None

    async def stream(self, prompt: Prompt) -> AsyncIterator[str | Usage]:
        used_input = 0
        async with self._http.events(self._url, self._headers, {**self._body(prompt), "stream": True}) as events:
            async for data in events:
                try:
                    event = msgspec.json.decode(data)
                    match event["type"]:
                        case "message_start":
                            used_input = _count(event["message"]["usage"], "input_tokens")
                        case "content_block_delta" if event["delta"]["type"] == "text_delta":
                            yield event["delta"]["text"]
                        case "message_delta":
                            output = _count(event["usage"], "output_tokens")
                            yield Usage(used_input, output, used_input + output)
                        case "error":
                            raise ProviderError("the provider ended the stream with an error")
                        case "message_stop":
                            return
                except (LookupError, TypeError, AttributeError, msgspec.DecodeError):
                    raise ProviderError("the provider sent a broken stream") from None
            raise ProviderError("the stream ended early")
