"""The model, by the sync SDK. Its answers are read piece by piece: that is where a deadline can be looked at."""

import json
import logging
import random
import time

import openai

from api.breaker import Breaker
from api.errors import ApiError
from api.settings import LITELLM

log = logging.getLogger("api.model")
DEADLINE = 24.0
PRICES = {
    "groq-kimi-primary": (1.0, 3.0), "gpt-4o-secondary": (2.5, 10.0),
    "gemini-third": (0.3, 2.5), "openrouter-fallback": (1.0, 3.0),
}
client = openai.OpenAI(base_url=f"{LITELLM}/v1", api_key="none", max_retries=0)
breaker = Breaker()


def complete(request):
    """Answer with at most three retries, after about 1, 2 and 4 s."""
    until = time.monotonic() + DEADLINE
    for attempt in range(4):
        try:
            return breaker(_call, request, until)
        except ApiError as error:
            pause = 2**attempt + random.random() / 2
            if error.retry_after is not None and error.status == 429:
                pause = max(pause, error.retry_after + 0.05)
            if not error.transient or attempt == 3 or time.monotonic() + pause > until - 1:
                raise
            log.warning(f"{error.error}, trying again", extra={"data": {"attempt": attempt + 1, "pause": round(pause, 2)}})
            time.sleep(pause)


def _call(request, until):
    late = ApiError(504, "model_timeout", "The model took too long.", sick=True)
    try:
        left = max(0.5, until - time.monotonic())
        with client.with_options(timeout=openai.Timeout(left, connect=min(3.0, left))).chat.completions.with_streaming_response.create(
            model=request.model,
            messages=request.messages(),
            temperature=request.temperature,
            max_tokens=request.max_tokens,
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > until:
                    raise late
        return _read(request.model, bytes(body))
    except openai.APITimeoutError as error:
        if time.monotonic() < until - 1:
            raise ApiError(503, "model_unreachable", "The model cannot be reached.", transient=True, sick=True) from error
        raise late from None
    except openai.APIConnectionError as error:
        raise ApiError(503, "model_unreachable", "The model cannot be reached.", transient=True, sick=True) from error
    except openai.APIStatusError as error:
        raise _refusal(error) from error
    except ApiError:
        raise
    except Exception as error:
        # The transport's own errors come through while a body is being read.
        if "timeout" in type(error).__name__.lower():
            raise late from None
        log.warning(f"reading failed: {type(error).__name__}")
        raise ApiError(502, "model_broke_off", "The model broke off.", transient=True, sick=True) from error


def _refusal(error):
    status = error.status_code
    if status == 429:
        try:
            after = float(error.response.headers.get("retry-after"))
        except (TypeError, ValueError):
            after = 1.0
        return ApiError(429, "model_rate_limit", "The model is asked too much.", transient=True, retry_after=after)
    if status >= 500:
        return ApiError(502, "model_error", "The model has failed.", transient=True, sick=True)
    if status == 404:
        return ApiError(404, "model_not_found", "This model is not there.")
    if status in (401, 403):
        return ApiError(502, "model_login", "The model did not let us in.")
    return ApiError(400, "model_refusal", "The model refused.")


def _read(model, body):
    try:
        answer = json.loads(body)
        usage = answer["usage"]
        price_in, price_out = PRICES[model]
        return {
            "response": answer["choices"][0]["message"]["content"] + "",
            "model": model,
            "prompt_tokens": usage["prompt_tokens"],
            "completion_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
            "cost": usage["prompt_tokens"] * price_in / 1e6 + usage["completion_tokens"] * price_out / 1e6,
        }
    except (ValueError, LookupError, TypeError) as error:
        raise ApiError(502, "model_nonsense", "The model's answer is not one.", sick=True) from error
