from dataclasses import asdict, dataclass
from typing import Any

from openai import AsyncOpenAI

from api.settings import Settings

PRICES = {
    "groq-kimi-primary": (1.0, 3.0),
    "gpt-4o-secondary": (2.5, 10.0),
    "gemini-third": (0.3, 2.5),
    "openrouter-fallback": (1.0, 3.0),
}


@dataclass
class Generation:
    response: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
    cached: bool = False


class LLM:
    def __init__(self, settings: Settings) -> None:
        self.client = AsyncOpenAI(
            base_url=f"{settings.base('litellm_url')}/v1",
            api_key=settings.litellm_api_key.get_secret_value(),
            timeout=None,  # TODO exercise 3
            max_retries=0,
        )

    async def generate(self, model: str, messages: list[dict[str, str]], **options: Any) -> Generation:
        completion = await self.client.chat.completions.create(model=model, messages=messages, **options)
        usage = completion.usage
        per_in, per_out = PRICES[model]
        cost = (usage.prompt_tokens * per_in + usage.completion_tokens * per_out) / 1e6
        return Generation(
            completion.choices[0].message.content,
            model,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            cost,
        )


__all__ = ["LLM", "PRICES", "Generation", "asdict"]
