"""One call to the LiteLLM gateway, with every way of failing told apart. Bodies stay bytes: nothing is re-modelled."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import aiohttp.http_exceptions
import orjson

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
from api.utils.request_id import current_request_id
from api.utils.retry import parse_retry_after

# LiteLLM hands on its provider's headers under a prefix.
_RETRY_AFTER = ("retry-after", "llm_provider-retry-after")
_COST = "x-litellm-response-cost"
_JSON = "application/json"
_LONGEST_EVENT = 1024 * 1024
# What names a kind of error: words alone, for digits and dots make keys and addresses.
_CODE = re.compile(r"[A-Za-z_]{1,64}")
# The place of a field, such as `messages[2].content`: names, and indexes that are too short for a secret.
_PLACE = re.compile(r"([A-Za-z_]{1,32})(?:\.[A-Za-z_]{1,32}|\.[0-9]{1,4}|\.?\[[0-9]{1,4}\]){0,8}")

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
        self._base_url = f"{base_url}/v1"
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_timeout, sock_connect=connect_timeout, sock_read=read_timeout
        )
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, fields: Mapping[str, Any], *, deadline: float) -> Reply:
        """The answer of `path`, which is JSON by its content type."""
        with _told_apart():
            async with asyncio.timeout_at(deadline), self._open(path, fields) as response:
                _expect(response, _JSON)
                return Reply(await response.read(), _cost(response))

    async def stream(
        self, path: str, fields: Mapping[str, Any], *, deadline: float, idle: float
    ) -> AsyncGenerator[bytes]:
        """The events of `path` that hold data, as they were sent.

        The first one is there by `deadline`, and each one after `idle` seconds at most; comments do not count. The time
        that the caller takes to ask for the next one is its own.
        """
        loop = asyncio.get_running_loop()
        opening = self._open(path, fields)
        with _told_apart():
            async with asyncio.timeout_at(deadline):
                response = await opening.__aenter__()
        try:
            _expect(response, EVENT_STREAM)
            events = split_events(response.content.iter_any(), longest=_LONGEST_EVENT)
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
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _open(self, path: str, fields: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The head of a successful answer; its body is read by whoever asks."""
        request_id = current_request_id()
        headers = {"X-Request-ID": request_id} if request_id else {}
        url, body = f"{self._base_url}{path}", orjson.dumps(fields)
        async with self._connected().post(url, data=body, headers=headers, allow_redirects=False) as response:
            if not 200 <= response.status < 300:
                raise _from_status(response.status, response.headers, await response.read(), fields)
            yield response

    def _connected(self) -> aiohttp.ClientSession:
        """The session, which can only be made where an event loop runs."""
        if self._session is None:
            headers = {"Content-Type": _JSON, "Accept-Encoding": "identity"}
            if self._api_key:
                headers["Authorization"] = f"Bearer {self._api_key}"
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                headers=headers,
                connector=aiohttp.TCPConnector(limit=0),  # how many are let in is not decided here
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _next_with_data(events: AsyncGenerator[bytes]) -> bytes | None:
    async for event in events:
        if event_data(event) is not None:
            return event
    return None


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn what the HTTP client raises into errors of ours.

    Only types are named in them: the messages of HTTP libraries may hold addresses.
    """
    try:
        yield
    except TimeoutError:
        raise LLMTimeoutError("deadline reached") from None
    except EventTooLongError:
        raise LLMMalformedError("an event without an end") from None
    except aiohttp.ClientPayloadError as error:
        raise _from_broken_body(error) from None
    except aiohttp.ClientConnectionError as error:
        raise LLMUnavailableError(type(error).__name__) from None
    except aiohttp.ClientError as error:
        raise LLMMalformedError(type(error).__name__) from None


def _expect(response: aiohttp.ClientResponse, content_type: str) -> None:
    if not (given := response.headers.get("content-type", "")).startswith(content_type):
        raise LLMMalformedError(f"content type {given[:80]!r}")


def _cost(response: aiohttp.ClientResponse) -> float | None:
    try:
        cost = float(response.headers.get(_COST, ""))
    except ValueError:
        return None
    return cost if 0 <= cost < float("inf") else None


def _from_status(status: int, headers: Mapping[str, str], body: bytes, asked: Mapping[str, Any]) -> LLMError:
    detail = f"status {status}"
    if status == 429 and b"insufficient_quota" not in body:
        return LLMRateLimitedError(detail, retry_after=_retry_after(headers))
    if status >= 500:
        return LLMServerError(detail, retry_after=_retry_after(headers))
    kind = _CLIENT_ERRORS.get(status, LLMRejectedError)
    if status in _ABOUT_THE_REQUEST:
        return kind(detail, code=_code(body), param=_place(body, asked))
    return kind(detail)


def _code(body: bytes) -> str | None:
    """What an error in OpenAI's form calls itself. Its message is left out: it may quote keys and addresses."""
    code = _of_error(body, "code")
    return code if code is not None and _CODE.fullmatch(code) else None


def _place(body: bytes, asked: Mapping[str, Any]) -> str | None:
    """The field that an error in OpenAI's form is about, if the request `asked` has it."""
    place = _of_error(body, "param")
    match = _PLACE.fullmatch(place or "")
    return place if match is not None and match[1] in asked else None


def _of_error(body: bytes, field: str) -> str | None:
    try:
        value = orjson.loads(body)["error"][field]
    except (ValueError, LookupError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name in _RETRY_AFTER:
        if (value := headers.get(name)) and (seconds := parse_retry_after(value)) is not None:
            return seconds
    return None


def _from_broken_body(error: aiohttp.ClientPayloadError) -> LLMError:
    """A body that ends too early is a fault of the network; one that cannot be decoded is a bad answer."""
    cause = error.__cause__
    reason = type(cause or error).__name__
    if isinstance(cause, aiohttp.http_exceptions.ContentEncodingError):
        return LLMMalformedError(reason)
    return LLMUnavailableError(reason)
