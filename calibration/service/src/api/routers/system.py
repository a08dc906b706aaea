"""What operators and orchestrators ask."""

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.routers.dependencies import ServicesDep
from api.services.circuit_breaker import State
from api.services.health_checker import CheckResult

router = APIRouter(tags=["system"])


class Liveness(BaseModel):
    status: Literal["alive"] = "alive"


class BreakerStatus(BaseModel):
    state: State
    failures: int
    retry_after: float


class Readiness(BaseModel):
    status: Literal["healthy", "degraded"]
    checks: dict[str, CheckResult | BreakerStatus]


@router.get("/health")
async def health() -> Liveness:
    """Whether the process serves; touches nothing, for a restart would not mend a dependency."""
    return Liveness()


@router.get("/health/detailed", responses={503: {"model": Readiness}})
async def health_detailed(services: ServicesDep, response: Response) -> Readiness:
    """Whether everything that an answer rests on is there: 503 if not, with a flag for each dependency."""
    checks = await services.health.report()
    ready = all(result.healthy for result in checks.values())
    if not ready:
        response.status_code = 503
    breaker = services.breaker
    circuit_breaker = BreakerStatus(
        state=breaker.state, failures=breaker.failures, retry_after=round(breaker.retry_after, 1)
    )
    return Readiness(
        status="healthy" if ready else "degraded",
        checks={**checks, "circuit_breaker": circuit_breaker},
    )


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
