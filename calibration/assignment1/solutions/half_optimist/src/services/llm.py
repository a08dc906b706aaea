import time
from abc import ABC, abstractmethod

from openai import AsyncOpenAI

from src.config.settings import settings
from src.models.requests import ChatRequest
from src.models.responses import ChatResponse, Usage

# USD per 1M tokens (input, output)
PRICES = {
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-4o": (2.50, 10.00),
    "claude-3-5-sonnet": (3.00, 15.00),
    "claude-3-opus": (15.00, 75.00),
}


def calculate_cost(model: str, input_tokens: int, output_tokens: int) -> float | None:
    if model not in PRICES:
        return None
    input_price, output_price = PRICES[model]
    return (input_tokens * input_price + output_tokens * output_price) / 1_000_000


class LLMProvider(ABC):
    @abstractmethod
    async def complete(self, request: ChatRequest) -> ChatResponse: ...

    @abstractmethod
    async def is_healthy(self) -> bool: ...


class OpenAIProvider(LLMProvider):
    def __init__(self):
        self.client = AsyncOpenAI(
            api_key=settings.openai_api_key.get_secret_value(), max_retries=0
        )

    async def complete(self, request: ChatRequest) -> ChatResponse:
        start = time.time()
        response = await self.client.chat.completions.create(
            model=request.model or settings.default_model,
            messages=[m.model_dump() for m in request.messages],
            temperature=request.temperature,
            max_tokens=request.max_tokens,
        )
        usage = response.usage
        return ChatResponse(
            content=response.choices[0].message.content,
            model=response.model,
            usage=Usage(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                total_tokens=usage.total_tokens,
            ),
            cost_usd=calculate_cost(
                response.model, usage.prompt_tokens, usage.completion_tokens
            ),
            latency_ms=(time.time() - start) * 1000,
        )

    async def is_healthy(self) -> bool:
        try:
            await self.client.models.list()
            return True
        except Exception:
            return False


provider = OpenAIProvider()


def get_provider() -> LLMProvider:
    return provider
