from fastapi import APIRouter
from fastapi.responses import JSONResponse

from src.services.llm import check_provider

router = APIRouter()


@router.get("/health")
async def health_check():
    if await check_provider():
        return {"status": "healthy", "openai": "connected"}
    return JSONResponse(
        status_code=503, content={"status": "unhealthy", "openai": "disconnected"}
    )
