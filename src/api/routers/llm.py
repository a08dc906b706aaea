"""Asking a model."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from api.routers.dependencies import Authenticated, ServicesDep
from api.routers.limits import admit
from api.routers.openai import Chatting, ModelCard, ModelList
from api.services.cache import CacheStats
from api.services.limits.estimates import estimate
from api.services.llm_service import Generation
from api.services.prompts import Model, Prompt
from api.utils.disconnect import cancel_on_disconnect

router = APIRouter(tags=["llm"])


class Cleared(BaseModel):
    cleared: int


@router.post("/llm/generate")
async def generate(prompt: Prompt, request: Request, caller: Chatting, services: ServicesDep) -> Generation:
    texts = (prompt.prompt, prompt.system_prompt or "")
    for text in texts:
        services.content_filter.check(text)
    size = sum(len(text.encode()) for text in texts)
    await admit(request, services.limiter, caller, estimate(prompt.model, size, prompt.max_tokens))
    answering = services.llm.generate(prompt, caller)
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
