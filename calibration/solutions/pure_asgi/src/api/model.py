import asyncio
import logging
import random

import httpx
import msgspec

from api import errors
from api.breaker import RateBreaker

log = logging.getLogger("api.model")
ATTEMPT_SECONDS = 8.0
TOTAL_SECONDS = 28.0
PAUSES = (1.0, 2.0, 4.0)
PRICES = {
    "groq-kimi-primary": (1.0, 3.0),
    "gpt-4o-secondary": (2.5, 10.0),
    "gemini-third": (0.3, 2.5),
    "openrouter-fallback": (1.0, 3.0),
}


class Message(msgspec.Struct):
    content: str


class Choice(msgspec.Struct):
    message: Message


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(msgspec.Struct):
    choices: list[Choice]
    usage: Usage


class Retry(Exception):
    def __init__(self, error: errors.UpstreamError, after: float = 0.0) -> None:
        super().__init__(error)
        self.error, self.after = error, after


class Model:
    def __init__(self, base_url: str, breaker: RateBreaker) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=ATTEMPT_SECONDS, limits=httpx.Limits(max_connections=None))
        self._breaker = breaker

    async def ask(self, payload: dict) -> Completion:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TOTAL_SECONDS) as scope:
                for pause in (*PAUSES, None):
                    try:
                        return await self._guarded(payload)
                    except Retry as retry:
                        wait = max(retry.after, (pause or 0) * random.uniform(0.8, 1.2))
                        if pause is None or loop.time() + wait > scope.when() - 1:
                            raise retry.error from None
                        log.warning("%s; again in %.1f s", retry.error.error, wait)
                        await asyncio.sleep(wait)
        except TimeoutError:
            raise errors.Deadline from None
        raise AssertionError

    async def _guarded(self, payload: dict) -> Completion:
        ticket = self._breaker.enter()
        failed: bool | None = None
        try:
            completion = await self._call(payload)
            failed = False
            return completion
        except Retry as retry:
            failed = retry.error.transient
            raise
        except errors.Gibberish:
            failed = True
            raise
        except errors.UpstreamError:
            failed = False
            raise
        finally:
            self._breaker.leave(ticket, failed)

    async def _call(self, payload: dict) -> Completion:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                answer = await self._http.post("/v1/chat/completions", json=payload)
        except (TimeoutError, httpx.TimeoutException):
            raise Retry(errors.Slow()) from None
        except httpx.TransportError:
            raise Retry(errors.Unavailable()) from None
        match answer.status_code:
            case 200:
                try:
                    return msgspec.json.decode(answer.content, type=Completion)
                except msgspec.MsgspecError:
                    raise errors.Gibberish from None
            case 429:
                after = answer.headers.get("retry-after", "1")
                busy = errors.Busy(headers={"Retry-After": after})
                raise Retry(busy, float(after) if after.isdigit() else 1.0)
            case 401 | 403:
                raise errors.Misconfigured
            case 404:
                raise errors.UnknownModel
            case status if status >= 500:
                raise Retry(errors.Unavailable())
            case _:
                raise errors.RefusedByModel

    async def close(self) -> None:
        await self._http.aclose()


def price(model: str, usage: Usage) -> float:
    per_in, per_out = PRICES[model]
    return (usage.prompt_tokens * per_in + usage.completion_tokens * per_out) / 1_000_000
