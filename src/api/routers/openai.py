"""OpenAI's API, for its own clients: chat completions, embeddings, models.

The bodies are the backend's: requests are checked as far as this service rests on them, and are handed on whole.
See https://platform.openai.com/docs/api-reference.
"""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel

from api.routers.dependencies import ServicesDep, permitted
from api.routers.limits import admit
from api.routers.routing import choose_model
from api.services.callers import Caller, Permission
from api.services.chat import LONGEST_MODEL, completion_limit, read_chat_request, read_request, texts_of
from api.services.errors import LLMNotFoundError
from api.services.limits.estimates import estimate
from api.services.prompts import Model
from api.utils.disconnect import cancel_on_disconnect
from api.utils.event_stream import EVENT_STREAM, EventStreamResponse

router = APIRouter(prefix="/v1", tags=["openai"])

Chatting = Annotated[Caller, Depends(permitted(Permission.CHAT))]
Embedding = Annotated[Caller, Depends(permitted(Permission.EMBEDDINGS))]
Listing = Annotated[Caller, Depends(permitted(Permission.MODELS))]


class OpenAIError(BaseModel):
    message: str
    type: str
    code: str
    param: str | None


class OpenAIErrorBody(BaseModel):
    """How everything under /v1 fails."""

    error: OpenAIError


class ModelCard(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelCard]


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAIErrorBody} for status in (400, 401, 403, 404, 413, 429, 502, 503, 504)
}


def _body(required: str, properties: dict[str, Any], **conditions: Any) -> dict[str, Any]:
    """The part of a request that is checked here, for the API's description."""
    schema = {
        "type": "object",
        "required": ["model", required],
        "properties": {
            "model": {"type": "string", "minLength": 1, "maxLength": LONGEST_MODEL},
            **properties,
        },
        "additionalProperties": True,
        **conditions,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_OPTIONS_NEED_A_STREAM = {
    "if": {"required": ["stream_options"], "properties": {"stream_options": {"type": "object"}}},
    "then": {"required": ["stream"], "properties": {"stream": {"const": True}}},
}
_CHAT = _body(
    "messages",
    {
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": ["boolean", "null"]},
        "stream_options": {"type": ["object", "null"]},
    },
    **_OPTIONS_NEED_A_STREAM,
)
_EMBEDDINGS = _body(
    "input", {"input": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}]}}
)
_STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}, EVENT_STREAM: {}}}}


@router.post("/chat/completions", openapi_extra=_CHAT, responses={**_ERRORS, **_STREAMED})
async def chat_completions(request: Request, caller: Chatting, services: ServicesDep) -> Response:
    fields = read_chat_request(await request.body())
    for text in texts_of(fields["messages"]):
        services.content_filter.check(text)
    choice = choose_model(request, services.models, caller, fields["model"])
    fields["model"] = choice.model
    size = len(orjson.dumps(fields["messages"]))
    await admit(request, services.limiter, caller, estimate(choice.model, size, completion_limit(fields)))
    if fields.get("stream"):
        asking = services.llm.stream(fields, caller, fallback=choice.fallback)
        first, events = await cancel_on_disconnect(request.receive, asking)
        return EventStreamResponse(first, events, stall_timeout=services.stream_idle_timeout)
    answering = services.llm.complete(fields, caller, fallback=choice.fallback)
    whole = await cancel_on_disconnect(request.receive, answering)
    return Response(whole.body, headers=dict(whole.headers), media_type="application/json")


@router.post("/embeddings", openapi_extra=_EMBEDDINGS, responses=_ERRORS)
async def embeddings(request: Request, caller: Embedding, services: ServicesDep) -> Response:
    fields = read_request(await request.body(), "input")
    expected = estimate(fields["model"], len(orjson.dumps(fields["input"])), max_tokens=0)
    await admit(request, services.limiter, caller, expected)
    asking = services.llm.embed(fields, caller)
    return Response(await cancel_on_disconnect(request.receive, asking), media_type="application/json")


@router.get("/models", responses=_ERRORS)
async def models(_caller: Listing, services: ServicesDep) -> ModelList:
    cards = await services.catalogue.cards()
    return ModelList(data=[ModelCard.model_validate(card) for card in cards.values()])


@router.get("/models/{model:path}", responses=_ERRORS)
async def model(
    model: Annotated[str, Path(examples=list(Model))], _caller: Listing, services: ServicesDep
) -> ModelCard:
    card = (await services.catalogue.cards()).get(model)
    if card is None:
        raise LLMNotFoundError("not in the catalogue", param="model")
    return ModelCard.model_validate(card)
