import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from src.api.errors import error_response
from src.config.settings import settings
from src.models.requests import ChatRequest
from src.models.responses import FieldError
from src.services.llm import LLMError, LLMService

MAX_BODY = 16 * 1024 * 1024
LOCAL = "127.0.0.1"


async def chat_completions(request: Request) -> Response:
    state = request.app.state
    await check_limits(request)
    chat = ChatRequest.model_validate_json(await read_json_body(request))
    if chat.max_tokens is not None and chat.max_tokens > settings.max_tokens_per_request:
        reason = f"at most {settings.max_tokens_per_request} (MAX_TOKENS_PER_REQUEST)"
        errors = [FieldError(field="max_tokens", reason=reason)]
        return error_response(422, "validation_error", f"max_tokens: {reason}", errors)

    params: dict[str, Any] = {
        "messages": chat.messages,
        "model": chat.model or settings.default_model,
        "temperature": 0.7 if chat.temperature is None else chat.temperature,
        "max_tokens": chat.max_tokens or min(1024, settings.max_tokens_per_request),
    }
    llm: LLMService = state.llm
    if chat.stream:
        return await start_stream(llm.chat_stream(**params))
    answer = await llm.chat(**params)
    return JSONResponse(answer.model_dump())


async def check_limits(request: Request) -> None:
    state = request.app.state
    wait = await state.request_limit.seconds_to_wait(peer_address(request))
    if wait:
        raise HTTPException(429, "too many requests", headers={"Retry-After": str(wait)})
    if state.spend.is_used_up():
        raise HTTPException(429, "the daily cost limit is reached")


def peer_address(request: Request) -> str:
    """The address at the other end of the connection.

    Started without options, uvicorn lets a local client set it by X-Forwarded-For. If what it
    says has come from that header, the connection is a local one.
    """
    host = request.client.host if request.client else "unknown"
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    return LOCAL if host in forwarded else host


async def read_json_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "the body has to be application/json")
    if int(request.headers.get("content-length", "0")) > MAX_BODY:
        raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes")
    return bytes(body)


async def start_stream(pieces: AsyncIterator[str]) -> Response:
    """Waits for the first piece, so that a provider that fails at once has a status."""
    first = await anext(pieces, "")

    async def events() -> AsyncIterator[str]:
        try:
            yield sse({"delta": first})
            async for piece in pieces:
                yield sse({"delta": piece})
        except LLMError as error:
            yield sse({"error": {"code": error.code, "message": error.message}})
        else:
            yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def sse(data: dict[str, object]) -> str:
    return "data: " + json.dumps(data) + "\n\n"
