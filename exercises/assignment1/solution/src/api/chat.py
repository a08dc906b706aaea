"""The chat endpoint."""

import time

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from src.api.dependencies import AppServices, limit_requests
from src.api.disconnect import unless_disconnected
from src.api.errors import invalid_response
from src.api.events import EventStreamResponse
from src.config.settings import Settings
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, ErrorResponse, FieldError
from src.services.providers import Prompt

router = APIRouter(prefix="/api/v1", tags=["chat"])

_DEFAULT_MAX_TOKENS = 1024
_ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": ErrorResponse} for status in (400, 402, 413, 422, 429, 502, 503, 504)
}


@router.post(
    "/chat/completions",
    response_model=ChatResponse,
    responses=_ERRORS,
    dependencies=[Depends(limit_requests)],
)
async def complete_chat(
    body: ChatRequest, request: Request, services: AppServices
) -> ChatResponse | Response:
    """Answer a conversation: as a whole, or as server-sent events if `stream` is true."""
    began = time.perf_counter()
    most = services.settings.max_tokens_per_request
    if body.max_tokens is not None and body.max_tokens > most:
        return invalid_response([FieldError(field="max_tokens", message=f"should be at most {most}")])
    prompt = _prompt(body, services.settings)
    if body.stream:
        return EventStreamResponse(await unless_disconnected(request, services.llm.stream(prompt)))
    completion, receipt = await services.llm.complete(prompt)
    return ChatResponse(
        content=completion.content,
        model=receipt.model,
        usage=receipt.usage,
        cost_usd=receipt.cost_usd,
        latency_ms=round((time.perf_counter() - began) * 1000, 1),
    )


def _prompt(body: ChatRequest, settings: Settings) -> Prompt:
    """Return the prompt of a request, with the defaults for what it leaves out."""
    return Prompt(
        messages=tuple(body.messages),
        model=body.model or settings.default_model,
        temperature=body.temperature,
        max_tokens=body.max_tokens or min(_DEFAULT_MAX_TOKENS, settings.max_tokens_per_request),
    )
