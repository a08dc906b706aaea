"""Limits, as endpoints apply them."""

from typing import Annotated

from fastapi import Depends, Request

from api.middleware.answer_headers import add_answer_headers
from api.routers.dependencies import Authenticated, ServicesDep
from api.services.callers import Caller
from api.services.errors import LimitExceededError
from api.services.limits.estimates import Estimate
from api.services.limits.limiter import Admission, Limiter, remember_admission

NOTHING = Estimate(tokens=0, cost=0.0)

HEADERS = [f"X-RateLimit-{what}{of}" for of in ("", "-Tokens") for what in ("Limit", "Remaining", "Reset")]


async def admit(
    request: Request, limiter: Limiter, caller: Caller, estimate: Estimate = NOTHING
) -> Admission:
    """Count a request, and have its answer tell what is left; to be settled, by itself or by `settle_answer`.

    Raises LimitExceededError or TooManyTokensError.
    """
    try:
        admission = await limiter.admit(caller, tokens=estimate.tokens, cost=estimate.cost)
    except LimitExceededError as error:
        add_answer_headers(request, error.headers)
        raise
    add_answer_headers(request, admission.headers)
    remember_admission(admission)
    return admission


async def get_limited(request: Request, caller: Authenticated, services: ServicesDep) -> Caller:
    """The caller of a request that is counted, and uses no tokens."""
    await admit(request, services.limiter, caller)
    return caller


Limited = Annotated[Caller, Depends(get_limited)]
