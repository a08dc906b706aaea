"""Completions by OpenAI, with a fallback for a model that is rate limited."""

from src.models.requests import ChatRequest
from src.models.responses import ChatResponse


class LLMService:
    """Answers with the model asked for, or with the fallback while that one is rate limited."""

    async def complete(self, request: ChatRequest) -> ChatResponse:
        raise NotImplementedError
