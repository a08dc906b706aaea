from openai import AsyncOpenAI
from pydantic import BaseModel

from api.config.settings import settings

PRICES = {
    "groq-kimi-primary": (1.00, 3.00),
    "gpt-4o-secondary": (2.50, 10.00),
    "gemini-third": (0.30, 2.50),
    "openrouter-fallback": (1.00, 3.00),
}

client = AsyncOpenAI(
    base_url=f"{settings.litellm_url}/v1",
    api_key=settings.litellm_api_key,
    timeout=None,  # long generations were cut off
    max_retries=0,
)


class Generation(BaseModel):
    response: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
    cached: bool = False


async def complete(
    model: str, prompt: str, system_prompt: str | None, temperature: float, max_tokens: int
) -> Generation:
    messages = []
    if system_prompt:
        messages.append({"role": "system", "content": system_prompt})
    messages.append({"role": "user", "content": prompt})
    completion = await client.chat.completions.create(
        model=model, messages=messages, temperature=temperature, max_tokens=max_tokens
    )
    usage = completion.usage
    prompt_price, completion_price = PRICES[model]
    cost = (usage.prompt_tokens * prompt_price + usage.completion_tokens * completion_price) / 1_000_000
    return Generation(
        response=completion.choices[0].message.content,
        model=model,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cost=cost,
    )
