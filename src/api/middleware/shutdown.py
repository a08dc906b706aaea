"""Draining: from the signal to stop, no new work; what is in flight has a bounded time to finish.

uvicorn stops listening by itself, and waits for open requests: without end, unless it was started with a flag that
whoever starts this service may not know. And waiting in the lifespan's shutdown comes too late, after uvicorn's wait.
So the signal is heard here, on its way to uvicorn's handler.
"""

import asyncio
import contextvars
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.services.errors import ShuttingDownError
from api.utils.error_response import error_event, service_error_response
from api.utils.event_stream import EVENT_STREAM

log = structlog.get_logger("api.shutdown")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A client that does not read its answer holds its connection open after our work is done; uvicorn must cut those.
_CUT_CONNECTIONS_AFTER = 1.0


class Drain:
    """Whether the service is stopping, and the requests that it still owes an answer."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.draining = False
        self._in_flight: set[asyncio.Timeout] = set()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def begin(self) -> None:
        """Refuse new requests from now on, and cut those in flight after `timeout` seconds."""
        self.draining = True
        cut = asyncio.get_running_loop().time() + self.timeout
        for limit in self._in_flight:
            limit.reschedule(cut)
        log.info("shutdown: draining", in_flight=self.in_flight, timeout=self.timeout)

    @contextmanager
    def track(self, limit: asyncio.Timeout) -> Iterator[None]:
        self._in_flight.add(limit)
        try:
            yield
        finally:
            self._in_flight.discard(limit)
            if self.draining:
                log.info("shutdown: request finished", in_flight=self.in_flight)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Begin when the process is told to stop, and pass the signal on to the server's own handler.

        Handlers are chained, not replaced: a server that does not hear the signal never exits. Does nothing outside
        the main thread, where signals cannot be heard.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        # The handler interrupts whatever runs, and would otherwise log under the id of somebody's request.
        own_context = contextvars.copy_context()
        chained = {sig: handler for sig in _SIGNALS if callable(handler := signal.getsignal(sig))}

        def hear(signum: int, frame: FrameType | None) -> None:
            if not self.draining:
                self.draining = True
                loop.call_soon_threadsafe(self.begin, context=own_context)
            chained[signal.Signals(signum)](signum, frame)

        for sig, server_handler in chained.items():
            self._bound_server(server_handler)
            signal.signal(sig, hear)
        try:
            yield
        finally:
            for sig, server_handler in chained.items():
                signal.signal(sig, server_handler)

    def _bound_server(self, handler: object) -> None:
        server = getattr(handler, "__self__", None)
        if isinstance(server, uvicorn.Server) and server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = math.ceil(self.timeout + _CUT_CONNECTIONS_AFTER)


class ShutdownMiddleware:
    """Answers 503 while draining, and to requests that outlast the drain; a stream that does is told so at its end."""

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        self.app = app
        self.drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.drain.draining:
            await _refuse("new request", scope, receive, send)
            return

        started = streaming = False

        async def remember_start(message: Message) -> None:
            nonlocal started, streaming
            if message["type"] == "http.response.start":
                started = True
                streaming = Headers(raw=message["headers"]).get("content-type", "").startswith(EVENT_STREAM)
            await send(message)

        limit = asyncio.timeout(None)
        try:
            async with limit:
                with self.drain.track(limit):
                    await self.app(scope, receive, remember_start)
        except TimeoutError:
            if not limit.expired() or (started and not streaming):
                raise
            if streaming:
                log.warning("shutdown: stream cut at the end of the drain")
                last = error_event(ShuttingDownError())
                await send({"type": "http.response.body", "body": last, "more_body": False})
            else:
                await _refuse("cut at the end of the drain", scope, receive, send)


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    response = service_error_response(ShuttingDownError(reason), scope, headers={"Connection": "close"})
    await response(scope, receive, send)
