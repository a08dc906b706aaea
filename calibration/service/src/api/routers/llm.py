"""Asking a model."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, Field

from api.middleware.request_id import current_request_id
from api.routers.dependencies import ServicesDep, Username
from api.services.cache import CacheStats
from api.services.llm_client import Prompt
from api.services.llm_service import Generation
from api.services.models import Model
from api.utils.disconnect import cancel_on_disconnect

router = APIRouter(tags=["llm"])


def _encodable(text: str) -> str:
    """JSON can escape halves of surrogate pairs, which no text on the wire can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text that UTF-8 can encode") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class GenerateRequest(BaseModel):
    model: Model
    prompt: Annotated[Text, Field(min_length=1)]
    system_prompt: Text | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=128_000)] | None = None


class ModelCard(BaseModel):
    id: Model
    object: Literal["model"] = "model"
    owned_by: str = "litellm"


class ModelList(BaseModel):
    """As OpenAI's API lists models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class Cleared(BaseModel):
    cleared: int


@router.post("/llm/generate")
async def generate(
    body: GenerateRequest, request: Request, username: Username, services: ServicesDep
) -> Generation:
    prompt = Prompt(**body.model_dump())
    answering = services.llm.generate(prompt, user=username, request_id=current_request_id())
    return await cancel_on_disconnect(request, answering)


@router.get("/llm/models")
@router.get("/v1/models")
async def models() -> ModelList:
    return ModelList(data=[ModelCard(id=model) for model in Model])


@router.get("/llm/cache/stats")
async def cache_stats(_username: Username, services: ServicesDep) -> CacheStats:
    return await services.cache.stats()


@router.delete("/llm/cache/clear")
async def cache_clear(_username: Username, services: ServicesDep) -> Cleared:
    return Cleared(cleared=await services.cache.clear())
