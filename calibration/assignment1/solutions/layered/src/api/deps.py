"""What the routes need, taken from the application's state."""

from typing import Annotated

from fastapi import Depends, Request

from src.api.errors import APIError
from src.services.budget import DailyBudget
from src.services.health import HealthCheck
from src.services.llm import LLMService
from src.services.ratelimit import TokenBucketLimiter, retry_after_header


def get_llm(request: Request) -> LLMService:
    return request.app.state.llm


def get_health(request: Request) -> HealthCheck:
    return request.app.state.health


async def enforce_rate_limit(request: Request) -> None:
    limiter: TokenBucketLimiter = request.app.state.limiter
    client = request.client.host if request.client else "unknown"
    if wait := limiter.acquire(client):
        raise APIError(
            429,
            "rate_limited",
            f"More than {limiter.requests} requests in {limiter.window} seconds.",
            headers={"Retry-After": retry_after_header(wait)},
        )


async def enforce_budget(request: Request) -> None:
    budget: DailyBudget = request.app.state.budget
    if budget.exhausted:
        raise APIError(402, "budget_exhausted", "Today's budget is spent.")


LLM = Annotated[LLMService, Depends(get_llm)]
Health = Annotated[HealthCheck, Depends(get_health)]
