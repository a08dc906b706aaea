"""The model, over aiohttp."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.breaker import Breaker, CircuitOpen
from api.problems import Problem
from api.retries import retrying

DEADLINE = 26
PRICES = {
    "groq-kimi-primary": (1.00, 3.00),
    "gpt-4o-secondary": (2.50, 10.00),
    "gemini-third": (0.30, 2.50),
    "openrouter-fallback": (1.00, 3.00),
}


class Refused(Exception):
    """The model has answered with a status that is no success."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(f"the model answered {status}")
        self.status = status
        self.retry_after = retry_after


class Malformed(Exception):
    """The model has answered 200 with something that is no answer."""


def is_transient(e: BaseException) -> bool:
    if isinstance(e, Refused):
        return e.status in {500, 502, 503, 504}
    return isinstance(e, (aiohttp.ClientError, Malformed))


breaker = Breaker(lambda e: is_transient(e) or isinstance(e, TimeoutError))


@dataclass(frozen=True)
class Answer:
    text: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, body: bytes) -> "Answer":
        try:
            completion: Any = json.loads(body)
            text = completion["choices"][0]["message"]["content"]
            usage = completion.get("usage") or {}
            counts = [int(usage.get(f"{name}_tokens", 0)) for name in ("prompt", "completion", "total")]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as e:
            raise Malformed(type(e).__name__) from None
        if not isinstance(text, str) or not text:
            raise Malformed("no content")
        return cls(text, *counts)


def cost(model: str, answer: Answer) -> float:
    ask, reply = PRICES[model]
    return (answer.prompt_tokens * ask + answer.completion_tokens * reply) / 1_000_000


class Model:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._session = session

    async def ask(self, model: str, messages: list[dict], temperature: float, max_tokens: int) -> Answer:
        deadline = asyncio.get_running_loop().time() + DEADLINE
        body = {"model": model, "messages": messages, "temperature": temperature, "max_tokens": max_tokens}
        try:
            async with asyncio.timeout_at(deadline + 0.5):
                return await self._attempt(deadline, body)
        except CircuitOpen as e:
            raise Problem(503, "The model is down, come back later", {"Retry-After": e.retry_after}) from None
        except TimeoutError as e:
            raise Problem(504, "The model did not answer in time", cause=e) from None
        except Refused as e:
            raise _problem(e) from None
        except Exception as e:
            raise Problem(502, "The model failed", cause=e) from None

    @retrying(is_transient)
    @breaker
    async def _attempt(self, deadline: float, body: dict) -> Answer:
        # The timeout is inside of the breaker: there it can be told from a caller who hangs up.
        async with (
            asyncio.timeout_at(deadline),
            self._session.post(self._url, json=body, timeout=aiohttp.ClientTimeout()) as response,
        ):
            if response.status != 200:
                raise Refused(response.status, response.headers.get("Retry-After"))
            return Answer.of(await response.read())


def _problem(e: Refused) -> Problem:
    match e.status:
        case 429:
            headers = {"Retry-After": e.retry_after} if e.retry_after else None
            return Problem(429, "The model is busy", headers, e)
        case 404:
            return Problem(404, "The gateway does not know this model", cause=e)
        case 400 | 422:
            return Problem(400, "The model refuses this prompt", cause=e)
        case 503 | 504:
            return Problem(e.status, "The model is overloaded", cause=e)
    return Problem(502, "The model failed", cause=e)
