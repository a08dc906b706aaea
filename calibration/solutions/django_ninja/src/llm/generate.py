import logging
import time
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from llm.auth import bearer
from llm.cache import Cache, CacheDown
from llm.model import PRICES, Generation
from llm.services import services

logger = logging.getLogger(__name__)
router = Router(tags=["llm"])


class Question(Schema):
    model: Literal["groq-kimi-primary", "gpt-4o-secondary", "gemini-third", "openrouter-fallback"]
    prompt: str = Field(min_length=1)
    system_prompt: str | None = None
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int = Field(default=1024, ge=1)

    def chat(self) -> dict[str, Any]:
        messages = [{"role": "user", "content": self.prompt}]
        if self.system_prompt:
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        return {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }


@router.post("/llm/generate", response=Generation, auth=bearer)
async def generate(request: HttpRequest, body: Question) -> Generation:
    cache = services().cache
    question = body.model_dump_json()
    if known := await look_up(cache, question):
        return known
    began = time.monotonic()
    generation = await services().model.generate(body.chat())
    services().tracer.record(request.auth, body.prompt, generation, time.monotonic() - began)
    await keep(cache, question, generation)
    return generation


@router.get("/llm/models")
async def models(request: HttpRequest) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in PRICES]}


@router.get("/v1/models")
async def v1_models(request: HttpRequest) -> dict[str, Any]:
    return await models(request)


@router.get("/llm/cache/stats", auth=bearer)
async def cache_stats(request: HttpRequest) -> dict[str, int]:
    cache = services().cache
    return {"entries": await cache.count(), "hits": cache.hits, "misses": cache.misses}


@router.delete("/llm/cache/clear", auth=bearer)
async def cache_clear(request: HttpRequest) -> dict[str, str]:
    await services().cache.clear()
    return {"status": "cleared"}


async def look_up(cache: Cache, question: str) -> Generation | None:
    try:
        return await cache.get(question)
    except CacheDown as e:
        logger.warning("The cache cannot be read: %r", e.cause)
        return None


async def keep(cache: Cache, question: str, generation: Generation) -> None:
    try:
        await cache.put(question, generation)
    except CacheDown as e:
        logger.warning("The cache cannot be written: %r", e.cause)
