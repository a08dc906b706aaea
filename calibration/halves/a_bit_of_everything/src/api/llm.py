import logging
from dataclasses import asdict, dataclass
from typing import Any

import openai
import tenacity
from openai import AsyncOpenAI, Timeout

from api.breaker import Breaker
from api.errors import BadGateway, BadRequest, DeadlineExceeded, ModelNotFound, Outage, RateLimited, ServiceError
from api.settings import Settings

log = logging.getLogger("api.llm")

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


def translate(error: Exception) -> ServiceError:
    match error:
        case openai.RateLimitError():
            return RateLimited("The model is busy.")
        case openai.NotFoundError():
            return ModelNotFound("The gateway does not know this model.")
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return BadGateway("The gateway refused our credentials.")
        case openai.InternalServerError():
            return Outage("The model failed.")
        case openai.APITimeoutError():
            return DeadlineExceeded("The model did not answer in time.")
        case openai.APIConnectionError():
            return Outage("The model could not be reached.")
        case openai.APIStatusError():
            return BadRequest("The model refused the request.")
        case _:
            return BadGateway("The model's answer could not be read.")


class LLM:
    def __init__(self, settings: Settings, breaker: Breaker) -> None:
        self.breaker = breaker
        self.deadline = settings.deadline
        self.client = AsyncOpenAI(
            base_url=f"{settings.base('litellm_url')}/v1",
            api_key=settings.litellm_api_key.get_secret_value(),
            timeout=Timeout(settings.deadline, connect=3.0),
            max_retries=0,
        )

    async def generate(self, model: str, messages: list[dict[str, str]], **options: Any) -> Generation:
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(4),
            wait=tenacity.wait_exponential_jitter(initial=1, max=4, jitter=0.5),
            retry=tenacity.retry_if_exception_type((Outage, RateLimited)),
            before_sleep=lambda state: log.warning(
                "attempt %d failed, retrying in %.2f s", state.attempt_number, state.upcoming_sleep
            ),
            reraise=True,
        )
        return await retrying(self._attempt, model, messages, options)

    async def _attempt(self, model: str, messages: list[dict[str, str]], options: dict[str, Any]) -> Generation:
        with self.breaker.call():
            try:
                completion = await self.client.chat.completions.create(model=model, messages=messages, **options)
                return self._read(model, completion)
            except Exception as e:
                raise translate(e) from e

    def _read(self, model: str, completion: Any) -> Generation:
        usage, text = completion.usage, completion.choices[0].message.content
        if not isinstance(text, str):
            raise ValueError("no content")
        per_in, per_out = PRICES[model]
        cost = (usage.prompt_tokens * per_in + usage.completion_tokens * per_out) / 1e6
        return Generation(text, model, usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, cost)

    async def close(self) -> None:
        await self.client.close()


__all__ = ["LLM", "PRICES", "Generation", "asdict"]
