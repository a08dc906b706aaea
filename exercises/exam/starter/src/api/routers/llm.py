import logging
import time
from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from api.routers.auth import CurrentUser
from api.services import llm_client, tracking
from api.services.cache import cache
from api.services.llm_client import PRICES, Generation

router = APIRouter(tags=["llm"])
logger = logging.getLogger(__name__)


class GenerateRequest(BaseModel):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1)
    system_prompt: str | None = None
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int = Field(default=1024, ge=1)


@router.post("/llm/generate")
async def generate(body: GenerateRequest, user: CurrentUser) -> Generation:
    try:
        question = body.model_dump_json()
        known = await cache.get(question)
        if known:
            return Generation(**{**known, "cached": True})
        began = time.time()
        generation = await llm_client.complete(
            body.model, body.prompt, body.system_prompt, body.temperature, body.max_tokens
        )
        await cache.put(question, generation.model_dump())
        tracking.log_generation(user, body.prompt, generation, time.time() - began)
        logger.info("Generated %d tokens with %s for %s", generation.total_tokens, body.model, user)
        return generation
    except Exception as e:
        print(f"Generation failed: {e}")
        raise HTTPException(status_code=500, detail=str(e))


@router.get("/llm/models")
@router.get("/v1/models")
async def models() -> dict:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]}


@router.get("/llm/cache/stats")
async def cache_stats(user: CurrentUser) -> dict:
    return {"entries": await cache.count(), "hits": cache.hits, "misses": cache.misses}


@router.delete("/llm/cache/clear")
async def cache_clear(user: CurrentUser) -> dict:
    await cache.clear()
    return {"status": "cleared"}
