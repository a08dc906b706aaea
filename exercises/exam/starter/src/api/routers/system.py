import httpx
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.config.settings import settings

router = APIRouter(tags=["system"])


@router.get("/health")
async def health() -> dict:
    return {"status": "ok"}


@router.get("/health/detailed")
async def health_detailed() -> dict:
    urls = {
        "qdrant": f"{settings.qdrant_url}/healthz",
        "litellm": f"{settings.litellm_url}/health/liveliness",
        "mlflow": f"{settings.mlflow_tracking_uri}/health",
    }
    checks = {}
    async with httpx.AsyncClient(timeout=30) as client:
        for name, url in urls.items():
            try:
                response = await client.get(url)
                checks[name] = {"healthy": response.is_success}
            except Exception as e:
                checks[name] = {"healthy": False, "error": str(e)}
    return {"status": "ok", "checks": checks}


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
