"""OpenAI and Anthropic by plain HTTP: one call each, no retries."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
import msgspec

from src.models.requests import Message
from src.models.responses import Usage
from src.services.errors import Failing, Nonsense, ProviderError, TimedOut, Unreachable, error_for

CALL_TIMEOUT = 13.0


class Ask(msgspec.Struct, frozen=True):
    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int


class Answer(msgspec.Struct, frozen=True):
    """A completion, or what a stream came to: then `content` is empty."""

    content: str
    model: str
    usage: Usage


class Provider(Protocol):
    name: str

    async def complete(self, ask: Ask) -> Answer: ...

    def stream(self, ask: Ask) -> AsyncGenerator[str | Answer]: ...

    async def reachable(self) -> bool: ...


class OpenAI:
    name = "openai"

    def __init__(self, key: str, base_url: str = "") -> None:
        self.http = client(
            base_url or "https://api.openai.com/v1", {"authorization": f"Bearer {key}"}
        )

    async def complete(self, ask: Ask) -> Answer:
        async with failures(self.name):
            response = await self.http.post("/chat/completions", json=self.body(ask))
            check(self.name, response)
            data = response.json()
            return Answer(
                content=data["choices"][0]["message"]["content"] or "",
                model=data.get("model", ask.model),
                usage=self.usage(data["usage"]),
            )

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Answer]:
        body = self.body(ask) | {"stream": True, "stream_options": {"include_usage": True}}
        model, usage, complete = ask.model, Usage(0, 0, 0), False
        async with failures(self.name):
            async with self.http.stream("POST", "/chat/completions", json=body) as response:
                check(self.name, response)
                async for line in response.aiter_lines():
                    if line == "data: [DONE]":
                        complete = True
                        break
                    if not line.startswith("data:"):
                        continue
                    data = msgspec.json.decode(line[5:])
                    if data.get("error"):
                        raise Failing(self.name)
                    model = data.get("model", model)
                    if data.get("usage"):
                        usage = self.usage(data["usage"])
                    for choice in data.get("choices", ()):
                        if text := choice["delta"].get("content"):
                            yield text
        if not complete:
            raise Unreachable(self.name)
        yield Answer("", model, usage)

    async def reachable(self) -> bool:
        async with failures(self.name):
            return (await self.http.get("/models")).status_code < 500

    @staticmethod
    def body(ask: Ask) -> dict[str, Any]:
        return msgspec.to_builtins(ask)

    @staticmethod
    def usage(data: dict[str, int]) -> Usage:
        return Usage(data["prompt_tokens"], data["completion_tokens"], data["total_tokens"])


class Anthropic:
    name = "anthropic"

    def __init__(self, key: str, base_url: str = "") -> None:
        self.http = client(
            base_url or "https://api.anthropic.com",
            {"x-api-key": key, "anthropic-version": "2023-06-01"},
        )

    async def complete(self, ask: Ask) -> Answer:
        async with failures(self.name):
            response = await self.http.post("/v1/messages", json=self.body(ask))
            check(self.name, response)
            data = response.json()
            return Answer(
                content="".join(part.get("text", "") for part in data["content"]),
                model=data.get("model", ask.model),
                usage=self.usage(data["usage"]),
            )

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Answer]:
        model, tokens, complete = ask.model, {"input_tokens": 0, "output_tokens": 0}, False
        async with failures(self.name):
            body = self.body(ask) | {"stream": True}
            async with self.http.stream("POST", "/v1/messages", json=body) as response:
                check(self.name, response)
                async for line in response.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = msgspec.json.decode(line[5:])
                    match data["type"]:
                        case "message_start":
                            model = data["message"]["model"]
                            tokens |= data["message"]["usage"]
                        case "content_block_delta" if text := data["delta"].get("text"):
                            yield text
                        case "message_delta":
                            tokens |= data["usage"]
                        case "message_stop":
                            complete = True
                        case "error":
                            raise Failing(self.name)
        if not complete:
            raise Unreachable(self.name)
        yield Answer("", model, self.usage(tokens))

    async def reachable(self) -> bool:
        async with failures(self.name):
            return (await self.http.get("/v1/models")).status_code < 500

    @staticmethod
    def body(ask: Ask) -> dict[str, Any]:
        """System messages have a field of their own, and temperatures end at 1."""
        body = {
            "model": ask.model,
            "messages": [msgspec.to_builtins(m) for m in ask.messages if m.role != "system"],
            "max_tokens": ask.max_tokens,
            "temperature": min(ask.temperature, 1.0),
        }
        if system := joined(m.content for m in ask.messages if m.role == "system"):
            body["system"] = system
        return body

    @staticmethod
    def usage(data: dict[str, int]) -> Usage:
        tokens = data["input_tokens"], data["output_tokens"]
        return Usage(*tokens, sum(tokens))


def joined(texts: Iterable[str]) -> str:
    return "\n\n".join(texts)


def client(base_url: str, headers: dict[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        timeout=httpx.Timeout(CALL_TIMEOUT, connect=4),
        limits=httpx.Limits(max_connections=1000, max_keepalive_connections=20),
    )


def check(provider: str, response: httpx.Response) -> None:
    if not response.is_success:
        raise error_for(provider, response.status_code, response.headers.get("retry-after"))


@asynccontextmanager
async def failures(provider: str) -> AsyncGenerator[None]:
    """Turns everything that can go wrong with a call into a ProviderError."""
    try:
        yield
    except ProviderError:
        raise
    except httpx.TimeoutException:
        raise TimedOut(provider) from None
    except httpx.TransportError:
        raise Unreachable(provider) from None
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        raise Nonsense(provider) from None
