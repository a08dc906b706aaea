"""The chat endpoint: limits for callers and for money, then the LLM service, then the response."""

from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/api/v1", tags=["chat"])


@router.post("/chat/completions")
async def complete_chat() -> None:
    """Take a ChatRequest, answer a ChatResponse."""
    raise HTTPException(status_code=501, detail="not implemented")
