import uuid

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from src.models.requests import ChatRequest
from src.models.responses import ChatResponse
from src.services.llm import LLMProvider, get_provider

router = APIRouter(prefix="/api/v1")


@router.post("/chat/completions", response_model=ChatResponse)
async def chat_completions(
    body: ChatRequest,
    request: Request,
    response: Response,
    provider: LLMProvider = Depends(get_provider),
):
    response.headers["X-Request-ID"] = request.headers.get("X-Request-ID") or str(uuid.uuid4())
    try:
        return await provider.complete(body)
    except Exception as e:
        raise HTTPException(status_code=500, detail=f"LLM error: {e}")
