"""POST /api/v1/chat/completions"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request, post
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse

from src.api.guards import daily_cost, request_limit
from src.config.settings import settings
from src.models.requests import ChatRequest
from src.services.errors import ProviderError
from src.services.llm import Gateway
from src.services.providers import Ask

decoder = msgspec.json.Decoder(ChatRequest)


@post("/api/v1/chat/completions", status_code=200, guards=[request_limit, daily_cost])
async def chat(request: Request[Any, Any, Any]) -> ASGIResponse:
    gateway: Gateway = request.app.state.gateway
    body = await parsed(request)
    ask = to_ask(body)
    if not body.stream:
        return ASGIResponse(body=msgspec.json.encode(await gateway.chat(ask)))
    text = gateway.stream(ask)
    first = await anext(text, "")  # a provider that fails now still has a status
    return ASGIStreamingResponse(iterator=events(first, text), media_type="text/event-stream")


async def parsed(request: Request[Any, Any, Any]) -> ChatRequest:
    """Not by Litestar's own `data`, which would take "1" for 1."""
    if request.content_type[0] != "application/json":
        raise HTTPException("Send application/json.", status_code=415)
    return decoder.decode(await request.body())


def to_ask(body: ChatRequest) -> Ask:
    most = settings.max_tokens_per_request
    if body.max_tokens is not None and body.max_tokens > most:
        raise msgspec.ValidationError(f"Expected `int` <= {most} - at `$.max_tokens`")
    return Ask(
        model=body.model or settings.default_model,
        messages=body.messages,
        temperature=body.temperature,
        max_tokens=body.max_tokens or min(1024, most),
    )


async def events(first: str, rest: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    try:
        yield event(content=first)
        async for text in rest:
            yield event(content=text)
    except ProviderError as error:
        yield event(error={"code": error.code, "message": f"The provider {error.says}."})
    else:
        yield b"data: [DONE]\n\n"
    finally:
        await rest.aclose()


def event(**data: Any) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
