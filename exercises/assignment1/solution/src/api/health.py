"""The health endpoint."""

from typing import Literal

from fastapi import APIRouter, Response

from src.api.dependencies import AppServices
from src.models.responses import HealthResponse

router = APIRouter(tags=["health"])


@router.get("/health", responses={503: {"model": HealthResponse}})
async def health(response: Response, services: AppServices) -> HealthResponse:
    """Tell whether the service and its providers work; 503 if the first provider does not."""
    states = await services.health.states()
    status = _status(states, services.providers.first.name)
    if status == "unavailable":
        response.status_code = 503
    return HealthResponse(
        status=status,
        app=services.settings.app_name,
        providers={name: "up" if up else "down" for name, up in states.items()},
    )


def _status(states: dict[str, bool], first: str) -> Literal["ok", "degraded", "unavailable"]:
    if not states[first]:
        return "unavailable"
    return "ok" if all(states.values()) else "degraded"
