import asyncio
import random
import time
from enum import Enum

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


class Verdict(Enum):
    WELL = 1
    ILL = 2
    UNKNOWN = 3


class CircuitBreaker:
    """Five failed calls in a row open it, for 6 s, then 12, at most 24; one probe at a time."""

    def __init__(self) -> None:
        self.streak = 0
        self.opened = 0
        self.until = 0.0
        self.probing = False

    def enter(self) -> bool:
        if not self.opened:
            return False
        wait = self.until - time.monotonic()
        if wait > 0 or self.probing:
            raise APIError(503, "circuit_open", "The model is unavailable.", retry_after=max(wait, 0.5))
        self.probing = True
        return True

    def leave(self, probe: bool, verdict: Verdict) -> None:
        if probe:
            self.probing = False
        if verdict is Verdict.UNKNOWN or (self.opened and not probe):
            return
        if verdict is Verdict.WELL:
            if self.opened:
                log.warning("circuit closed")
            self.streak = self.opened = 0
            return
        self.streak += 1
        if probe or self.streak >= 5:
            self.opened += 1
            pause = min(6 * 2 ** (self.opened - 1), 24)
            self.until = time.monotonic() + pause
            log.error("circuit opened", seconds=pause)


breaker = CircuitBreaker()


class Again(Exception):
    def __init__(self, error: APIError, after: float | None = None) -> None:
        self.error, self.after = error, after


async def complete(model: str, messages: list, **options) -> dict:
    until = time.monotonic() + DEADLINE
    for attempt in range(4):
        try:
            return await attempt_once(until, model, messages, options)
        except Again as again:
            pause = min(2.0**attempt, 4.0) * (0.5 + random.random())
            if again.after is not None:
                pause = again.after
            if attempt == 3 or time.monotonic() + pause > until - 1:
                raise again.error from None
            log.warning("retrying", attempt=attempt + 1, reason=again.error.error, pause=round(pause, 2))
            await asyncio.sleep(pause)
    raise AssertionError


async def attempt_once(until: float, model: str, messages: list, options: dict) -> dict:
    probe = breaker.enter()
    verdict = Verdict.UNKNOWN
    try:
        async with asyncio.timeout(max(0.1, until - time.monotonic())):
            answer = await client.chat.completions.create(model=model, messages=messages, **options)
        result = understood(model, answer)
        verdict = Verdict.WELL
        return result
    except (TimeoutError, openai.APITimeoutError):
        verdict = Verdict.ILL
        late = APIError(504, "deadline", "The model took too long.")
        if time.monotonic() < until - 1:
            raise Again(APIError(504, "connect_timeout", "The model cannot be reached.")) from None
        raise late from None
    except openai.APIStatusError as error:
        verdict = Verdict.ILL if error.status_code >= 500 else Verdict.WELL
        raise of_status(error) from None
    except openai.APIConnectionError:
        verdict = Verdict.ILL
        raise Again(APIError(502, "unreachable", "The model cannot be reached.")) from None
    except (AttributeError, TypeError, ValueError, IndexError, openai.OpenAIError):
        verdict = Verdict.ILL
        raise APIError(502, "malformed", "The model's answer is malformed.") from None
    finally:
        breaker.leave(probe, verdict)


def of_status(error: openai.APIStatusError) -> Exception:
    status = error.status_code
    if status == 429:
        try:
            after = float(error.response.headers["retry-after"])
        except (KeyError, ValueError):
            after = 1.0
        return Again(APIError(429, "rate_limited", "The model's rate limit is reached.", retry_after=after), after)
    if status >= 500:
        return Again(APIError(502, "model_failed", "The model failed."))
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
