import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import openai

from api import failure as f
from api import log as logs
from api.config import config

log = logs.get("api.chat")
SECONDS = 20.0
PRICES = {"groq-kimi-primary": (1.0, 3.0), "gpt-4o-secondary": (2.5, 10.0), "gemini-third": (0.3, 2.5),
          "openrouter-fallback": (1.0, 3.0)}


class Breaker:
    """Around whole requests: five that failed in a row, retries and all, open it for 12 s."""

    def __init__(self) -> None:
        self.failed = 0
        self.closed_at_earliest = 0.0
        self.trial: asyncio.Task | None = None

    async def __call__(self, work: Callable[[], Awaitable[dict]]) -> dict:
        trial = False
        if self.failed >= 5:
            wait = self.closed_at_earliest - time.monotonic()
            if wait > 0 or (self.trial and not self.trial.done()):
                raise f.Open("The model is out of order.", retry_after=str(max(1, round(wait + 0.5))))
            self.trial, trial = asyncio.current_task(), True
        try:
            result = await work()
        except f.Failure as error:
            if error.counts:
                self.failed += 1
                if self.failed == 5 or trial:
                    log.error("circuit breaker opens", failed=self.failed)
                    self.closed_at_earliest = time.monotonic() + 12
            elif trial or self.failed < 5:
                self.failed = 0
            raise
        else:
            if trial or self.failed < 5:
                self.failed = 0
            return result
        finally:
            if trial:
                self.trial = None


class Chat:
    def __init__(self) -> None:
        self.breaker = Breaker()
        self.sdk = openai.AsyncOpenAI(base_url=f"{config.litellm_url}/v1", api_key="-", max_retries=0,
                                      timeout=openai.Timeout(SECONDS, connect=2.5))

    async def __call__(self, **payload) -> dict:
        return await self.breaker(lambda: self._in_time(payload))

    async def _in_time(self, payload: dict) -> dict:
        began = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                for number in range(3):
                    try:
                        return await self._once(payload)
                    except (f.Broken, f.Unreachable, f.Throttled) as error:
                        pause = 2**number * random.uniform(0.9, 1.3)
                        if after := error.headers.get("retry-after"):
                            pause = float(after) + 0.1
                        if time.monotonic() - began + pause > SECONDS - 1:
                            raise
                        log.warning("attempt failed", number=number + 1, reason=error.code, pause=round(pause, 2))
                        await asyncio.sleep(pause)
                return await self._once(payload)
        except TimeoutError:
            raise f.Late("The model took too long.") from None

    async def _once(self, payload: dict) -> dict:
        try:
            completion = await self.sdk.chat.completions.create(**payload)
            usage = completion.usage
            into, out = PRICES[payload["model"]]
            return {
                "response": completion.choices[0].message.content + "",
                "model": payload["model"],
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "cost": usage.prompt_tokens * into / 1e6 + usage.completion_tokens * out / 1e6,
            }
        except openai.RateLimitError as error:
            after = error.response.headers.get("retry-after", "")
            raise f.Throttled("The model is throttled.", retry_after=after if after.isdecimal() else "1") from None
        except openai.NotFoundError:
            raise f.Unknown("There is no such model.") from None
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            raise f.Refused("The model refused the prompt.") from None
        except openai.InternalServerError:
            raise f.Broken("The model failed.") from None
        except openai.APIStatusError:
            raise f.Denied("The gateway denied the request.") from None
        except openai.APIResponseValidationError:
            raise f.Nonsense("The model answered nonsense.") from None
        except openai.APIConnectionError:
            raise f.Unreachable("The model is not reachable.") from None
        except (ValueError, TypeError, LookupError, AttributeError):
            raise f.Nonsense("The model answered nonsense.") from None
