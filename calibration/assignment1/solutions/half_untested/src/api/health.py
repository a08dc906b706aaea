from fastapi import APIRouter, Response

from src.services import llm

router = APIRouter()


@router.get("/health")
async def health(response: Response) -> dict[str, str]:
    if await llm.openai.healthy():
        return {"status": "ok", "llm": "ok"}
    response.status_code = 503
    return {"status": "down", "llm": "unreachable"}
