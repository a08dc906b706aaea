import uuid

from fastapi import APIRouter, Depends, Request, Response

from src.services.llm import LLMProvider, get_provider

router = APIRouter()


@router.get("/health")
async def health(
    request: Request, response: Response, provider: LLMProvider = Depends(get_provider)
):
    response.headers["X-Request-ID"] = request.headers.get("X-Request-ID") or str(uuid.uuid4())
    healthy = await provider.is_healthy()
    if not healthy:
        response.status_code = 503
    return {
        "status": "ok" if healthy else "error",
        "provider": "connected" if healthy else "disconnected",
    }
