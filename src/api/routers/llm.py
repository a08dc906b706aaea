"""Asking a model."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, Field

from api.middleware.request_id import current_request_id
from api.routers.dependencies import Authenticated, ServicesDep
from api.routers.limits import admit
from api.routers.openai import Chatting, ModelCard, ModelList
from api.services.cache import CacheStats
from api.services.limits.estimates import estimate
from api.services.llm_service import Generation
from api.services.models import Model
from api.services.prompts import Prompt
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


class Cleared(BaseModel):
    cleared: int


@router.post("/llm/generate")
async def generate(
    body: GenerateRequest, request: Request, caller: Chatting, services: ServicesDep
) -> Generation:
    prompt = Prompt(**body.model_dump())
    texts = (prompt.prompt, prompt.system_prompt or "")
    for text in texts:
        services.content_filter.check(text)
    size = sum(len(text.encode()) for text in texts)
    await admit(request, services.limiter, caller, estimate(prompt.model, size, prompt.max_tokens))
    answering = services.llm.generate(prompt, caller, current_request_id())
    generation = await cancel_on_disconnect(request.receive, answering)
    generation.response = services.content_filter.redact(generation.response)
    return generation


@router.get("/llm/models")
async def models() -> ModelList:
    return ModelList(data=[ModelCard(id=model, owned_by="litellm") for model in Model])


@router.get("/llm/cache/stats")
async def cache_stats(_caller: Authenticated, services: ServicesDep) -> CacheStats:
    return await services.cache.stats()


@router.delete("/llm/cache/clear")
async def cache_clear(_caller: Authenticated, services: ServicesDep) -> Cleared:
    return Cleared(cleared=await services.cache.clear())
