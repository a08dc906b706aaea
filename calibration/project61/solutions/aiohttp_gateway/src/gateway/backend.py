"""Calls of the backend: one place for retries, the breaker and the translation of failures."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog

from .breaker import Breaker
from .errors import ApiError
from .metrics import Metrics
from .settings import Settings
from .sse import EventReader

log = structlog.get_logger("gateway.backend")

ATTEMPTS = 3
TRANSIENT = {408, 429, 500, 502, 503, 504}
BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)


class Transient(Exception):
    """Worth another try; `error` is what the caller gets when there is none."""

    def __init__(self, error: ApiError, wait: float = 0, healthy: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait
        self.healthy = healthy


@dataclass
class Answer:
    body: bytes
    document: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def pause(attempt: int) -> float:
    return 0.25 * 2.2**attempt * random.uniform(1, 1.3)


def refusal(status: int, text: bytes, retry_after: str | None = None) -> ApiError:
    """What the caller is told of an error of the backend."""
    try:
        told = json.loads(text)["error"]
        told = told if isinstance(told, dict) else {"message": told}
    except (ValueError, KeyError, TypeError, RecursionError):
        told = {}
    message = told.get("message") if isinstance(told.get("message"), str) else "The backend refused the request."
    kind = told.get("type") if isinstance(told.get("type"), str) else None
    code, param = told.get("code"), told.get("param")
    if status in (401, 403):
        return ApiError(502, "The backend does not accept this gateway.", code="backend_refused")
    if status >= 500:
        shown = status if status in (503, 504) else 502
        return ApiError(shown, "The backend failed.", code="backend_error", kind="api_error")
    headers = {"Retry-After": retry_after or "1"} if status == 429 else {}
    code = str(code) if code is not None else None
    param = param if isinstance(param, str) else None
    return ApiError(status, message, code=code, param=param, kind=kind, headers=headers)


def _seconds(text: str | None) -> float:
    try:
        return min(max(float(text or 0), 0), 2)
    except ValueError:
        return 0


class Backend:
    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self.breaker = Breaker(metrics.breaker.set)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        headers = {"User-Agent": "inference-gateway"}
        if self._settings.backend_key:
            headers["Authorization"] = f"Bearer {self._settings.backend_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=3),
            headers=headers,
            read_bufsize=2**20,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """A whole answer."""
        async def once() -> Answer:
            try:
                async with asyncio.timeout(self._settings.answer_seconds):
                    async with self._send(method, path, body) as response:
                        text = await response.read()
                        self._check(response, text)
                        headers = dict(response.headers)
            except TimeoutError:
                raise ApiError(504, "The backend did not answer in time.", code="backend_timeout") from None
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                document = None
            if not isinstance(document, dict):
                raise ApiError(502, "The backend's answer is malformed.", code="backend_malformed")
            return Answer(text, document, {name.lower(): value for name, value in headers.items()})

        return await self._guarded(once, final=True)

    async def stream(self, path: str, body: dict[str, Any]) -> "Stream":
        """A stream that has begun: its first event has arrived."""
        async def once() -> "Stream":
            manager = self._send("POST", path, body)
            response = None
            try:
                async with asyncio.timeout(self._settings.first_chunk_seconds):
                    response = await manager.__aenter__()
                    if response.status >= 400:
                        self._check(response, await response.read())
                    if response.content_type != "text/event-stream":
                        raise ApiError(502, "The backend's answer is malformed.", code="backend_malformed")
                    stream = Stream(response, self, self._settings.idle_seconds)
                    await stream.begin()
            except BaseException as error:
                if response is not None:
                    response.close()
                if isinstance(error, TimeoutError):
                    raise ApiError(504, "The backend did not answer in time.", code="backend_timeout") from None
                raise
            return stream

        return await self._guarded(once, final=False)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        assert self._session is not None
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        return self._session.request(
            method, self._settings.backend_url + path, data=data, headers=headers, allow_redirects=False
        )

    @staticmethod
    def _check(response: aiohttp.ClientResponse, text: bytes) -> None:
        if response.status == 200:
            return
        after = response.headers.get("Retry-After")
        if response.status < 400:
            raise ApiError(502, "The backend's answer is malformed.", code="backend_malformed")
        error = refusal(response.status, text, after)
        if response.status in TRANSIENT:
            raise Transient(error, _seconds(after), healthy=response.status == 429)
        raise error

    async def _guarded(self, once: Callable[[], Awaitable[Any]], final: bool) -> Any:
        trial = self.breaker.enter()
        for attempt in range(ATTEMPTS):
            last = trial or attempt == ATTEMPTS - 1
            try:
                result = await once()
            except Transient as failure:
                self._metrics.backend_failures.labels(str(failure.error.status)).inc()
                error, wait, healthy = failure.error, failure.wait, failure.healthy
            except BROKEN as broken:
                self._metrics.backend_failures.labels("connection").inc()
                log.warning("the connection to the backend broke", reason=type(broken).__name__)
                error = ApiError(502, "The backend cannot be reached.", code="backend_unreachable", kind="api_error")
                wait, healthy = 0.0, False
            except ApiError as refused:
                if refused.status >= 500 and refused.code != "backend_refused":
                    self._metrics.backend_failures.labels(str(refused.code)).inc()
                    self.breaker.failed()
                else:
                    self.breaker.succeeded()
                raise
            else:
                if final or trial:
                    self.breaker.succeeded()
                return result
            if last or self.breaker.state:
                if healthy:
                    self.breaker.succeeded()
                else:
                    self.breaker.failed()
                raise error
            self._metrics.retries.inc()
            await asyncio.sleep(pause(attempt) + wait)
        raise AssertionError("unreachable")

    def stream_ended(self, well: bool) -> None:
        if well:
            self.breaker.succeeded()
        else:
            self._metrics.backend_failures.labels("stream").inc()
            self.breaker.failed()


class Stream:
    """The events of a backend's stream, as text, up to and without [DONE]."""

    def __init__(self, response: aiohttp.ClientResponse, backend: Backend, idle: float) -> None:
        self._response = response
        self._backend = backend
        self._idle = idle
        self._reader = EventReader()
        self._events: list[str] = []
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def begin(self) -> None:
        while not self._events:
            await self._more()
        if self._events[0] != "[DONE]":
            self._parse(self._events[0])

    async def _more(self) -> None:
        piece = await self._response.content.readany()
        if not piece:
            raise ApiError(502, "The backend broke off.", code="backend_broke_off", kind="api_error")
        try:
            self._events += self._reader.feed(piece)
        except ValueError:
            raise ApiError(502, "The backend's answer is malformed.", code="backend_malformed") from None

    @staticmethod
    def _parse(text: str) -> dict[str, Any]:
        try:
            chunk = json.loads(text)
        except (ValueError, RecursionError):
            chunk = None
        if not isinstance(chunk, dict):
            raise ApiError(502, "The backend's answer is malformed.", code="backend_malformed")
        if chunk.get("error") is not None:
            raise refusal(502, text.encode())
        return chunk

    async def chunks(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        try:
            while True:
                for text in self._events:
                    if text == "[DONE]":
                        self._backend.stream_ended(True)
                        return
                    yield text, self._parse(text)
                self._events = []
                async with asyncio.timeout(self._idle):
                    await self._more()
        except TimeoutError:
            self._backend.stream_ended(False)
            raise ApiError(504, "The backend fell silent.", code="backend_timeout", kind="api_error") from None
        except BROKEN:
            self._backend.stream_ended(False)
            raise ApiError(502, "The backend broke off.", code="backend_broke_off", kind="api_error") from None
        except ApiError:
            self._backend.stream_ended(False)
            raise

    async def drain(self) -> None:
        """Let the backend end its answer, so that the connection can be used again."""
        try:
            async with asyncio.timeout(1):
                await self._response.content.read()
        except (TimeoutError, *BROKEN):
            self.close()

    def close(self) -> None:
        self._response.close()
