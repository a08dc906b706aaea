"""While the service drains: no new requests, and an answer for those that outlast it."""

import asyncio

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.services.drain import Drain
from api.services.errors import ShuttingDownError
from api.utils.error_response import error_event, service_error_response
from api.utils.event_stream import EVENT_STREAM

log = structlog.get_logger("api.shutdown")


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
