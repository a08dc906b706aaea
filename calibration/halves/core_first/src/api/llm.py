import asyncio

import openai
import structlog

from api.errors import APIError
from api.settings import LITELLM

log = structlog.get_logger("api.llm")
DEADLINE = 18.0
PRICES = {
    "groq-kimi-primary": (1.0, 3.0),
    "gpt-4o-secondary": (2.5, 10.0),
    "gemini-third": (0.3, 2.5),
    "openrouter-fallback": (1.0, 3.0),
}
client = openai.AsyncOpenAI(
    base_url=f"{LITELLM}/v1", api_key="unused", max_retries=0, timeout=openai.Timeout(DEADLINE, connect=2.0)
)


async def complete(model: str, messages: list, **options) -> dict:
    try:
        async with asyncio.timeout(DEADLINE):
            return await with_retries(model, messages, options)
    except TimeoutError:
        raise APIError(504, "deadline", "The model took too long.") from None


async def with_retries(model: str, messages: list, options: dict) -> dict:
    for attempt in range(4):
        try:
            return await attempt_once(model, messages, options)
        except Exception as error:
            if attempt == 3:
                raise
            log.warning("retrying", attempt=attempt + 1, reason=type(error).__name__)
            await asyncio.sleep(1)
    raise AssertionError


async def attempt_once(model: str, messages: list, options: dict) -> dict:
    try:
        answer = await client.chat.completions.create(model=model, messages=messages, **options)
        return understood(model, answer)
    except openai.APITimeoutError:
        raise APIError(504, "deadline", "The model took too long.") from None
    except openai.APIStatusError as error:
        raise of_status(error) from None
    except openai.APIConnectionError:
        raise APIError(502, "unreachable", "The model cannot be reached.") from None
    except (AttributeError, TypeError, ValueError, IndexError, openai.OpenAIError):
        raise APIError(502, "malformed", "The model's answer is malformed.") from None


def of_status(error: openai.APIStatusError) -> Exception:
    status = error.status_code
    if status == 429:
        return APIError(429, "rate_limited", "The model's rate limit is reached.")
    if status >= 500:
        return APIError(502, "model_failed", "The model failed.")
    if status == 404:
        return APIError(404, "unknown_model", "The model is not there.")
    if status in {401, 403}:
        return APIError(502, "gateway", "The gateway is not set up well.")
    return APIError(400, "refused", "The model refused.")


def understood(model: str, answer) -> dict:
    usage = answer.usage
    text = answer.choices[0].message.content
    if not isinstance(text, str):
        raise TypeError("no text")
    price_in, price_out = PRICES[model]
    return {
        "response": text, "model": model, "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens, "total_tokens": usage.total_tokens,
        "cost": round((usage.prompt_tokens * price_in + usage.completion_tokens * price_out) / 1e6, 8),
    }
