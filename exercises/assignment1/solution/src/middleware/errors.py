"""Answers exceptions that nothing else has handled.

Starlette's own handler for them is outside of all middleware, where its answer would have no request id.
"""

import logging
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class ErrorMiddleware:
    """Logs an unhandled exception and answers `respond()`."""

    def __init__(self, app: ASGIApp, *, respond: Callable[[], Response]) -> None:
        self.app = app
        self.respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def remember_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, remember_start)
        except Exception:
            logger.exception("unhandled exception")
            if started:  # too late for another answer: the server has to cut the connection
                raise
            await self.respond()(scope, receive, send)
