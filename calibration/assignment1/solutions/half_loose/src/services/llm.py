import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

import openai

from src.config.settings import settings
from src.models.responses import ChatResponse, Usage

PRICES = {
    "gpt-4o-mini": 0.15,
    "gpt-4o": 2.50,
    "claude-3-5-sonnet": 3.00,
    "claude-3-opus": 15.00,
}


def cost_of(model: str, tokens: int) -> float | None:
    """Price per million tokens."""
    return PRICES[model] * tokens / 1_000_000 if model in PRICES else None


class LLMError(Exception):
    def __init__(self, status: int, text: str):
        self.status = status
        self.text = text


class LLM(Protocol):
    async def create(self, **params: Any) -> Any: ...


class OpenAI:
    def __init__(self) -> None:
        self.client = openai.AsyncOpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url or None,
            timeout=24,
        )

    async def create(self, **params: Any) -> Any:
        return await self.client.chat.completions.create(**params)


@dataclass
class Service:
    llm: LLM
    timeout: float = 25

    async def chat(self, model: str, **params: Any) -> ChatResponse:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self.create_or_fall_back(model, params)
        except (TimeoutError, openai.APITimeoutError):
            raise LLMError(504, "LLM timed out") from None
        except openai.RateLimitError:
            raise LLMError(429, "LLM is rate limited") from None
        except openai.BadRequestError:
            raise LLMError(400, "LLM refused the request") from None
        except openai.OpenAIError:
            raise LLMError(502, "LLM failed") from None
        return ChatResponse(
            content=answer.choices[0].message.content,
            model=answer.model,
            usage=Usage(
                input_tokens=answer.usage.prompt_tokens,
                output_tokens=answer.usage.completion_tokens,
                total_tokens=answer.usage.total_tokens,
            ),
            cost=cost_of(answer.model, answer.usage.prompt_tokens),
            latency_ms=(time.perf_counter() - start) * 1000,
        )

    async def create_or_fall_back(self, model: str, params: dict[str, Any]) -> Any:
        try:
            return await self.llm.create(model=model, **params)
        except openai.OpenAIError:
            other = "gpt-4o-mini" if model == "gpt-4o" else "gpt-4o"
            return await self.llm.create(model=other, **params)
