import asyncio
from typing import Any

import aiohttp
import backoff
from ninja import Schema
from pydantic import BaseModel, ValidationError

from llm.breaker import CircuitBreaker, ModelFailure
from llm.errors import ApiError

DEADLINE = 22
PRICES = {
    "groq-kimi-primary": (1.00, 3.00),
    "gpt-4o-secondary": (2.50, 10.00),
    "gemini-third": (0.30, 2.50),
    "openrouter-fallback": (1.00, 3.00),
}


class Generation(Schema):
    response: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
    cached: bool = False


class Message(BaseModel):
    content: str


class Choice(BaseModel):
    message: Message


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    choices: list[Choice]
    usage: Usage


class ServerFault(Exception):
    """A 5xx answer of the model."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the model answered {status}")
        self.status = status


class Model:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.breaker = CircuitBreaker()

    async def generate(self, body: dict[str, Any]) -> Generation:
        async with self.breaker.call():
            try:
                async with asyncio.timeout(DEADLINE):
                    answer = await self._post(body)
            except ServerFault as e:
                raise ModelFailure(504 if e.status == 504 else 502, "The model failed", cause=e) from e
            except TimeoutError as e:
                raise ModelFailure(504, "The model did not answer in time", cause=e) from e
            except aiohttp.ClientError as e:
                raise ModelFailure(502, "The model cannot be reached", cause=e) from e
            return read(body["model"], answer)

    @backoff.on_exception(backoff.expo, (ServerFault, aiohttp.ClientError), max_tries=4)
    async def _post(self, body: dict[str, Any]) -> bytes:
        async with self.session.post("/v1/chat/completions", json=body) as response:
            answer = await response.read()
        if response.status in {500, 502, 503, 504}:
            raise ServerFault(response.status)
        if response.status != 200:
            raise refusal(response)
        return answer


def refusal(response: aiohttp.ClientResponse) -> ApiError:
    cause = f"the model answered {response.status}"
    if response.status in {400, 422}:
        return ApiError(422, "The model does not accept this request", cause=cause)
    if response.status == 404:
        return ApiError(404, "The model is not known to its provider", cause=cause)
    if response.status == 429:
        return ApiError(
            429, "Too many requests for the model", cause=cause, retry_after=response.headers.get("Retry-After")
        )
    return ApiError(502, "The model cannot be used", cause=cause)


def read(model: str, answer: bytes) -> Generation:
    try:
        completion = Completion.model_validate_json(answer)
        response = completion.choices[0].message.content
    except (ValidationError, IndexError) as e:
        raise ApiError(502, "The model's answer cannot be read", cause=type(e).__name__) from e
    usage = completion.usage
    prompt_price, completion_price = PRICES[model]
    return Generation(
        response=response,
        model=model,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cost=(usage.prompt_tokens * prompt_price + usage.completion_tokens * completion_price) / 1_000_000,
    )
