from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from llm.services import services

router = Router(tags=["system"])


@router.get("/health")
async def health(request: HttpRequest) -> dict[str, str]:
    return {"status": "alive"}


@router.get("/health/detailed")
async def ready(request: HttpRequest) -> HttpResponse:
    report = await services().health.get()
    healthy = set(report.values()) == {"up"}
    body: dict[str, Any] = {
        "status": "ok" if healthy else "degraded",
        "components": [{"name": name, "status": status} for name, status in report.items()],
        "circuit_breaker": services().model.breaker.state,
    }
    return JsonResponse(body, status=200 if healthy else 503)


@router.get("/metrics")
async def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
