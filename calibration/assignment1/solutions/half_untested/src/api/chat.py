from fastapi import APIRouter, Depends, HTTPException, Request

from src.config.settings import settings
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse
from src.services import llm, rate_limit
from src.services.costs import ledger

router = APIRouter()


def limits(request: Request) -> None:
    wait = rate_limit.check(request.client.host if request.client else "")
    if wait:
        raise HTTPException(429, "rate limit exceeded", {"Retry-After": str(wait)})
    if ledger.today() >= settings.DAILY_COST_LIMIT:
        raise HTTPException(402, "daily cost limit reached")


@router.post("/api/v1/chat/completions", dependencies=[Depends(limits)])
async def chat(body: ChatRequest) -> ChatResponse:
    limit = settings.MAX_TOKENS_PER_REQUEST
    if body.max_tokens and body.max_tokens > limit:
        raise HTTPException(422, f"max_tokens: at most {limit}")
    return await llm.complete(
        body.messages,
        body.model or settings.DEFAULT_MODEL,
        body.temperature,
        body.max_tokens or min(1024, limit),
    )
