"""One call to the model, through the LiteLLM gateway, with every way of failing told apart."""

import asyncio
from dataclasses import dataclass

import httpx2
import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, Field, ValidationError

from api.services.errors import (
    LLMBadRequestError,
    LLMError,
    LLMMalformedError,
    LLMNotFoundError,
    LLMQuotaExhaustedError,
    LLMRateLimitedError,
    LLMRejectedError,
    LLMServerError,
    LLMTimeoutError,
    LLMUnavailableError,
    LLMUnprocessableError,
)
from api.services.models import Model, estimate_cost
from api.utils.retry import parse_retry_after

# LiteLLM hands on its provider's headers under a prefix.
_RETRY_AFTER = ("retry-after", "llm_provider-retry-after")
_COST = "x-litellm-response-cost"

# Whatever else is below 500 was refused for reasons of ours: LLMRejectedError.
_CLIENT_ERRORS: dict[int, type[LLMError]] = {
    400: LLMBadRequestError,
    404: LLMNotFoundError,
    408: LLMTimeoutError,
    409: LLMServerError,
    422: LLMUnprocessableError,
    429: LLMQuotaExhaustedError,
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked."""

    model: Model
    prompt: str
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def messages(self) -> list[ChatCompletionMessageParam]:
        messages: list[ChatCompletionMessageParam] = []
        if self.system_prompt:
            messages.append({"role": "system", "content": self.system_prompt})
        messages.append({"role": "user", "content": self.prompt})
        return messages


class Answer(BaseModel):
    """What the model said; `cost` is in US dollars."""

    response: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class _Completion(BaseModel):
    """The part of a chat completion that this service rests on. The SDK's own models accept anything."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class LLMClient:
    """Makes each call once: retrying is the business of one layer, and that is not this one."""

    def __init__(self, *, base_url: str, api_key: str, connect_timeout: float, read_timeout: float) -> None:
        self._client = AsyncOpenAI(
            base_url=f"{base_url}/v1",
            api_key=api_key or "none",  # the SDK insists on one
            timeout=openai.Timeout(read_timeout, connect=connect_timeout),
            max_retries=0,
        )

    async def complete(self, prompt: Prompt, *, deadline: float, request_id: str = "") -> Answer:
        """The model's answer. Raises a subclass of LLMError for whatever goes wrong.

        `deadline` is a time on the event loop's clock and covers the whole answer: the timeouts of the HTTP client are
        for each read, and an upstream that drips a byte now and then never meets them.
        """
        try:
            async with asyncio.timeout_at(deadline):
                body, headers = await self._post(prompt, request_id)
        except TimeoutError:
            raise LLMTimeoutError("deadline reached") from None
        except openai.APIStatusError as error:
            raise _from_status(error) from None
        except openai.APITimeoutError as error:
            raise LLMTimeoutError(_reason(error)) from None
        except openai.APIConnectionError as error:
            raise LLMUnavailableError(_reason(error)) from None
        except httpx2.HTTPError as error:
            raise _from_broken_body(error) from None
        return _parse(prompt.model, body, headers)

    async def close(self) -> None:
        await self._client.close()

    async def _post(self, prompt: Prompt, request_id: str) -> tuple[bytes, httpx2.Headers]:
        # The streaming interface gives the headers first, so that a body that breaks off is known as such.
        async with self._client.chat.completions.with_streaming_response.create(
            model=prompt.model.value,
            messages=prompt.messages,
            temperature=openai.omit if prompt.temperature is None else prompt.temperature,
            max_tokens=openai.omit if prompt.max_tokens is None else prompt.max_tokens,
            extra_headers={"X-Request-ID": request_id} if request_id else None,
        ) as response:
            return await response.read(), response.headers


def _parse(model: Model, body: bytes, headers: httpx2.Headers) -> Answer:
    content_type = headers.get("content-type", "")
    if not content_type.startswith("application/json"):
        raise LLMMalformedError(f"content type {content_type[:80]!r}")
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise LLMMalformedError(f"{'.'.join(map(str, problem['loc']))} {problem['type']}".strip()) from None
    usage = completion.usage or _Usage()
    return Answer(
        response=completion.choices[0].message.content,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        cost=_cost(model, usage, headers.get(_COST)),
    )


def _cost(model: Model, usage: _Usage, reported: str | None) -> float:
    estimate = estimate_cost(model, usage.prompt_tokens, usage.completion_tokens)
    try:
        cost = float(reported or estimate)
    except ValueError:
        return estimate
    return cost if 0 <= cost < float("inf") else estimate


def _from_status(error: openai.APIStatusError) -> LLMError:
    status, headers = error.status_code, error.response.headers
    detail = f"status {status}"
    if status == 429 and "insufficient_quota" not in error.response.text:
        return LLMRateLimitedError(detail, retry_after=_retry_after(headers))
    if status >= 500:
        return LLMServerError(detail, retry_after=_retry_after(headers))
    return _CLIENT_ERRORS.get(status, LLMRejectedError)(detail)


def _retry_after(headers: httpx2.Headers) -> float | None:
    for name in _RETRY_AFTER:
        if (value := headers.get(name)) and (seconds := parse_retry_after(value)) is not None:
            return seconds
    return None


def _from_broken_body(error: httpx2.HTTPError) -> LLMError:
    """A connection that failed or ended under the answer is a fault of the network; anything else, a bad answer."""
    if isinstance(error, httpx2.TimeoutException):
        return LLMTimeoutError(_reason(error))
    if isinstance(error, httpx2.TransportError):
        return LLMUnavailableError(_reason(error))
    return LLMMalformedError(_reason(error))


def _reason(error: BaseException) -> str:
    """The types alone: messages of HTTP libraries may hold addresses."""
    cause = error.__cause__
    return type(cause or error).__name__
