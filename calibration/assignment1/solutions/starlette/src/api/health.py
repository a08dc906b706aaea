from starlette.requests import Request
from starlette.responses import JSONResponse

from src.config.settings import settings
from src.models.responses import HealthResponse


async def health(request: Request) -> JSONResponse:
    up = await request.app.state.llm.provider.reachable()
    body = HealthResponse(
        app=settings.app_name,
        status="ok" if up else "degraded",
        provider="up" if up else "down",
    )
    return JSONResponse(body.model_dump())
