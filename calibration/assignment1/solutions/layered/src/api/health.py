"""GET /health"""

from fastapi import APIRouter, Response

from src.api.deps import Health
from src.config.settings import settings
from src.models.responses import HealthResponse

router = APIRouter(tags=["health"])


@router.get("/health", response_model_exclude_none=True)
async def health(check: Health, response: Response) -> HealthResponse:
    """503 while the main provider is down; the second one is only reported."""
    providers = await check.check()
    up = providers["openai"].status == "up"
    response.status_code = 200 if up else 503
    return HealthResponse(
        status="healthy" if up else "unhealthy", app=settings.app_name, providers=providers
    )
