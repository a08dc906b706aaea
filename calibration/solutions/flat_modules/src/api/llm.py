import asyncio
import random

from openai import (
    APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, AuthenticationError, BadRequestError,
    InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError, UnprocessableEntityError,
)

import config
import logs
from breaker import Breaker
from problems import Problem

log = logs.get("llm")
client = AsyncOpenAI(base_url=config.LITELLM_URL + "/v1", api_key="sk-none", timeout=config.DEADLINE, max_retries=0)
breaker = Breaker(config.FAILURES_TO_OPEN, config.COOL_DOWN)

PRICES = {
    "groq-kimi-primary": (1.0, 3.0),
    "gpt-4o-secondary": (2.5, 10.0),
    "gemini-third": (0.3, 2.5),
    "openrouter-fallback": (1.0, 3.0),
}


async def generate(model, messages, temperature, max_tokens):
    try:
        return await asyncio.wait_for(_with_retries(model, messages, temperature, max_tokens), config.DEADLINE)
    except asyncio.TimeoutError:
        log.error("deadline exceeded", model=model)
        raise Problem(504, "The model did not answer in time.") from None


async def _with_retries(model, messages, temperature, max_tokens):
    start = asyncio.get_running_loop().time()
    for attempt in (1, 2, 3, 4):
        try:
            return await _once(model, messages, temperature, max_tokens)
        except (RateLimitError, InternalServerError, APIConnectionError) as exc:
            pause = 2 ** (attempt - 1)
            pause = pause / 2 + random.uniform(0, pause / 2)
            if isinstance(exc, RateLimitError):
                named = _retry_after(exc)
                left = config.DEADLINE - (asyncio.get_running_loop().time() - start)
                if named > left - 2 or attempt == 4:
                    raise Problem(429, "The model's rate limit is reached.", retry_after=named) from None
                pause = max(pause, named)
            elif attempt == 4:
                raise Problem(502 if isinstance(exc, InternalServerError) else 503, "The model is failing.") from None
            log.warning("attempt failed", attempt=attempt, reason=type(exc).__name__, pause=round(pause, 2))
            await asyncio.sleep(pause)


def _retry_after(exc):
    try:
        return float(exc.response.headers["retry-after"])
    except (KeyError, ValueError):
        return 1.0


async def _once(model, messages, temperature, max_tokens):
    slot = breaker.acquire()
    try:
        completion = await client.chat.completions.create(
            model=model, messages=messages, temperature=temperature, max_tokens=max_tokens
        )
        answer = _read(model, completion)
        breaker.success(slot)
        return answer
    except (InternalServerError, APIConnectionError, asyncio.CancelledError) as exc:
        # Cancelled is the deadline's doing; callers that hang up cancel nothing here.
        breaker.failure(slot)
        if isinstance(exc, APITimeoutError):
            raise Problem(504, "The model did not answer in time.") from None
        raise
    except RateLimitError:
        breaker.success(slot)
        raise
    except NotFoundError:
        breaker.success(slot)
        raise Problem(404, "The gateway does not know this model.") from None
    except (BadRequestError, UnprocessableEntityError):
        breaker.success(slot)
        raise Problem(400, "The model refused the request.") from None
    except (AuthenticationError, PermissionDeniedError):
        breaker.success(slot)
        raise Problem(502, "The gateway refused our key.") from None
    except APIStatusError as exc:
        breaker.success(slot)
        raise Problem(502, f"The gateway answered {exc.status_code}.") from None
    except Exception as exc:
        breaker.failure(slot)
        log.error("unreadable answer", reason=type(exc).__name__)
        raise Problem(502, "The model's answer is unreadable.") from None
    finally:
        breaker.release(slot)


def _read(model, completion):
    text = completion.choices[0].message.content
    if text is None:
        raise ValueError("empty answer")
    usage = completion.usage
    price_in, price_out = PRICES[model]
    return {
        "response": text,
        "model": model,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cost": (usage.prompt_tokens * price_in + usage.completion_tokens * price_out) / 1_000_000,
    }
