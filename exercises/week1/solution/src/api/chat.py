"""The chat endpoint."""

from fastapi import APIRouter, Depends

from src.api.dependencies import AppServices, limit_requests
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse

router = APIRouter(prefix="/api/v1", tags=["chat"])


@router.post("/chat/completions", dependencies=[Depends(limit_requests)])
async def complete_chat(body: ChatRequest, services: AppServices) -> ChatResponse:
    return await services.llm.complete(body)
