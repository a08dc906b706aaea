from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from src.config.settings import settings
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse
from src.services.limits import DailyCost, RateLimiter
from src.services.llm import OpenAI, Service

router = APIRouter()
limiter = RateLimiter(settings.rate_limit_requests, settings.rate_limit_window)
daily_cost = DailyCost(settings.daily_cost_limit)
service = Service(OpenAI())


@router.post("/api/v1/chat/completions", response_model=ChatResponse)
async def chat(request: Request, body: ChatRequest):
    if wait := limiter.wait(request.client.host):
        return PlainTextResponse("Too many requests", 429, {"Retry-After": str(wait)})
    if daily_cost.reached():
        return PlainTextResponse("Daily cost limit reached", 402)
    if body.max_tokens and body.max_tokens > settings.max_tokens_per_request:
        return PlainTextResponse("max_tokens is too large", 400)
    response = await service.chat(
        model=body.model or settings.default_model,
        messages=[m.model_dump() for m in body.messages],
        temperature=body.temperature,
        max_tokens=body.max_tokens or min(1024, settings.max_tokens_per_request),
    )
    daily_cost.add(response.cost or 0)
    return response
