"""One call to the LiteLLM gateway, with every way of failing told apart. Bodies stay bytes: nothing is re-modelled."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import orjson
from openai import AsyncOpenAI, DefaultAioHttpClient

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
from api.utils.event_stream import EVENT_STREAM, EventTooLongError, event_data, split_events
from api.utils.retry import parse_retry_after

# LiteLLM hands on its provider's headers under a prefix.
_RETRY_AFTER = ("retry-after", "llm_provider-retry-after")
_COST = "x-litellm-response-cost"
_JSON = "application/json"
_LONGEST_EVENT = 1024 * 1024
# Has the SDK give the answer before its body is there.
_RAW = {"X-Stainless-Raw-Response": "stream", "Content-Type": _JSON}
# What names an error or a field, and can hold neither a sentence nor an address.
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")

# Whatever else is below 500 was refused for reasons of ours: LLMRejectedError.
_CLIENT_ERRORS: dict[int, type[LLMError]] = {
    400: LLMBadRequestError,
    404: LLMNotFoundError,
    408: LLMTimeoutError,
    409: LLMServerError,
    422: LLMUnprocessableError,
    429: LLMQuotaExhaustedError,
}
_ABOUT_THE_REQUEST = {400, 404, 422}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `cost` in US dollars, if the gateway says."""

    body: bytes
    cost: float | None


class LLMClient:
    """Makes each call once: retrying is the business of one layer, and that is not this one.

    Every method raises a subclass of LLMError for whatever goes wrong. Deadlines are times on the event loop's clock:
    the timeouts of the HTTP client are for each read, and an upstream that drips a byte now and then never meets them.
    """

    def __init__(self, *, base_url: str, api_key: str, connect_timeout: float, read_timeout: float) -> None:
        self._client = AsyncOpenAI(
            base_url=f"{base_url}/v1",
            api_key=api_key or "none",  # the SDK insists on one
            timeout=openai.Timeout(read_timeout, connect=connect_timeout),
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )

    async def post(
        self, path: str, fields: Mapping[str, Any], *, deadline: float, request_id: str = ""
    ) -> Reply:
        """The answer of `path`, which is JSON by its content type."""
        with _told_apart():
            async with asyncio.timeout_at(deadline), self._open(path, fields, request_id) as response:
                _expect(response, _JSON)
                return Reply(await response.aread(), _cost(response))

    async def stream(
        self, path: str, fields: Mapping[str, Any], *, deadline: float, idle: float, request_id: str = ""
    ) -> AsyncGenerator[bytes]:
        """The events of `path` that hold data, as they were sent.

        The first one is there by `deadline`, and each one after `idle` seconds at most; comments do not count. The time
        that the caller takes to ask for the next one is its own.
        """
        loop = asyncio.get_running_loop()
        opening = self._open(path, fields, request_id)
        with _told_apart():
            async with asyncio.timeout_at(deadline):
                response = await opening.__aenter__()
        try:
            _expect(response, EVENT_STREAM)
            events = split_events(response.aiter_bytes(), longest=_LONGEST_EVENT)
            while True:
                with _told_apart():
                    async with asyncio.timeout_at(deadline):
                        event = await _next_with_data(events)
                if event is None:
                    return
                yield event
                deadline = loop.time() + idle
        finally:
            await opening.__aexit__(None, None, None)

    async def close(self) -> None:
        await self._client.close()

    @asynccontextmanager
    async def _open(
        self, path: str, fields: Mapping[str, Any], request_id: str
    ) -> AsyncIterator[httpx2.Response]:
        """The answer's head; the body is read by whoever asks, so that one that breaks off is known as such."""
        headers = {**_RAW, "X-Request-ID": request_id} if request_id else _RAW
        response = await self._client.post(
            path, cast_to=httpx2.Response, content=orjson.dumps(fields), options={"headers": headers}
        )
        try:
            yield response
        finally:
            await response.aclose()


async def _next_with_data(events: AsyncGenerator[bytes]) -> bytes | None:
    async for event in events:
        if event_data(event) is not None:
            return event
    return None


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn what the SDK and its HTTP client raise into errors of ours."""
    try:
        yield
    except TimeoutError:
        raise LLMTimeoutError("deadline reached") from None
    except EventTooLongError:
        raise LLMMalformedError("an event without an end") from None
    except openai.APIStatusError as error:
        raise _from_status(error.response) from None
    except openai.APIConnectionError as error:
        cause = error.__cause__
        raise _from_transport(cause if isinstance(cause, httpx2.HTTPError) else error) from None
    except httpx2.HTTPError as error:
        raise _from_transport(error) from None


def _expect(response: httpx2.Response, content_type: str) -> None:
    if not (given := response.headers.get("content-type", "")).startswith(content_type):
        raise LLMMalformedError(f"content type {given[:80]!r}")


def _cost(response: httpx2.Response) -> float | None:
    try:
        cost = float(response.headers.get(_COST, ""))
    except ValueError:
        return None
    return cost if 0 <= cost < float("inf") else None


def _from_status(response: httpx2.Response) -> LLMError:
    status, headers = response.status_code, response.headers
    detail = f"status {status}"
    if status == 429 and "insufficient_quota" not in response.text:
        return LLMRateLimitedError(detail, retry_after=_retry_after(headers))
    if status >= 500:
        return LLMServerError(detail, retry_after=_retry_after(headers))
    kind = _CLIENT_ERRORS.get(status, LLMRejectedError)
    if status in _ABOUT_THE_REQUEST:
        return kind(detail, code=_named(response.content, "code"), param=_named(response.content, "param"))
    return kind(detail)


def _named(body: bytes, field: str) -> str | None:
    """What an error in OpenAI's form calls itself, or the field that it is about. Its message may name upstreams."""
    try:
        name = orjson.loads(body)["error"][field]
    except (ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) and not name.isdecimal() and _NAME.fullmatch(name) else None


def _retry_after(headers: httpx2.Headers) -> float | None:
    for name in _RETRY_AFTER:
        if (value := headers.get(name)) and (seconds := parse_retry_after(value)) is not None:
            return seconds
    return None


def _from_transport(error: Exception) -> LLMError:
    """A connection that failed or ended under the answer is a fault of the network; anything else, a bad answer.

    Only the types are named: messages of HTTP libraries may hold addresses.
    """
    cause = error.__cause__ or error
    reason = type(cause).__name__
    # aiohttp's own types where there are any: the SDK takes a lost connection for a timeout.
    if isinstance(cause, TimeoutError | httpx2.TimeoutException):
        return LLMTimeoutError(reason)
    if isinstance(error, httpx2.TransportError | openai.APIConnectionError):
        return LLMUnavailableError(reason)
    return LLMMalformedError(reason)
