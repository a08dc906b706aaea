"""The chat endpoint: the request limit, then the LLM service."""

from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/api/v1", tags=["chat"])


@router.post("/chat/completions")
async def complete_chat() -> None:
    """Take a ChatRequest, answer a ChatResponse, within the request limit for the address of the connection."""
    raise HTTPException(status_code=501, detail="not implemented")
