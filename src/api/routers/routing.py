"""The choice of a model, as endpoints make it."""

import math

from fastapi import Request

from api.middleware.answer_headers import add_answer_headers
from api.services.callers import Caller
from api.services.errors import InvalidRequestError
from api.services.routing.router import Choice, ModelRouter

TASK = "X-Task"
LATENCY_BUDGET = "X-Latency-Budget"


def choose_model(request: Request, models: ModelRouter, caller: Caller, requested: str) -> Choice:
    """The model for a request, told in headers of its answer unless it is the one that was asked for.

    Raises InvalidRequestError for a latency budget that is no number of seconds.
    """
    choice = models.choose_model(
        caller, requested, task=request.headers.get(TASK), latency_budget=_latency_budget(request)
    )
    add_answer_headers(request, choice.headers)
    return choice


def _latency_budget(request: Request) -> float | None:
    value = request.headers.get(LATENCY_BUDGET)
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequestError(f"{LATENCY_BUDGET} must be a number of seconds.")
    return seconds
