"""POST /api/v1/chat/completions"""

import json
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from src.api.deps import LLM, enforce_budget, enforce_rate_limit
from src.api.errors import APIError, status_of
from src.config.settings import settings
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, ErrorDetail, Usage
from src.services.errors import LLMError
from src.services.llm import Result
from src.services.providers.base import Prompt, StreamEnd

DEFAULT_MAX_TOKENS = 1024

router = APIRouter(prefix="/api/v1", tags=["chat"])


@router.post(
    "/chat/completions",
    response_model=ChatResponse,
    dependencies=[Depends(enforce_rate_limit), Depends(enforce_budget)],
)
async def create_completion(chat: ChatRequest, llm: LLM) -> ChatResponse | StreamingResponse:
    prompt = prompt_of(chat)
    if chat.stream:
        pieces = llm.stream(prompt)
        first = await anext(pieces)  # what fails before the first piece is an ordinary error
        return StreamingResponse(events(first, pieces), media_type="text/event-stream")
    return response_of(await llm.complete(prompt))


def prompt_of(chat: ChatRequest) -> Prompt:
    limit = settings.max_tokens_per_request
    if chat.max_tokens is not None and chat.max_tokens > limit:
        detail = ErrorDetail(field="max_tokens", message=f"at most {limit} here")
        raise APIError(422, "invalid_request", "Invalid: max_tokens", details=[detail])
    return Prompt(
        model=chat.model or settings.default_model,
        messages=chat.messages,
        temperature=chat.temperature,
        max_tokens=chat.max_tokens or min(DEFAULT_MAX_TOKENS, limit),
    )


def response_of(result: Result) -> ChatResponse:
    completion = result.completion
    return ChatResponse(
        content=completion.content,
        model=completion.model,
        usage=Usage(
            prompt_tokens=completion.input_tokens,
            completion_tokens=completion.output_tokens,
            estimated_cost=result.cost,
        ),
        latency_ms=result.latency_ms,
    )


async def events(
    first: str | StreamEnd, rest: AsyncGenerator[str | StreamEnd]
) -> AsyncGenerator[str]:
    try:
        if isinstance(first, str):
            yield event({"content": first})
        async for piece in rest:
            if isinstance(piece, str):
                yield event({"content": piece})
    except LLMError as error:
        yield event({"error": {"type": status_of(error)[1], "message": error.message}})
        return
    finally:
        await rest.aclose()
    yield "data: [DONE]\n\n"


def event(document: dict[str, object]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
