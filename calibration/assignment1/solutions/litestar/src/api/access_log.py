"""One line for each request, and its id in all lines that are logged meanwhile."""

import time

import structlog
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from src.api.request_id import request_id

log = structlog.get_logger()


class AccessLog(ASGIMiddleware):
    async def handle(
        self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp
    ) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id(scope))
        began = time.perf_counter()
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await next_app(scope, receive, note_status)
        finally:
            ms = round((time.perf_counter() - began) * 1000, 1)
            log.info(
                "request", method=scope["method"], path=scope["path"], status=status, ms=ms
            )
