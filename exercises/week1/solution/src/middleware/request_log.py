"""Logs each request at its end, and answers exceptions that nothing else has handled.

Starlette's own handler for those is outside of all middleware, where its answer would have no request id.
"""

import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class RequestLogMiddleware:
    """Logs method, path, status and duration. The query is left out: it can hold anything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0  # stays 0 until the response begins

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, remember_status)
        except Exception:
            logger.exception("unhandled exception")
            if status:  # too late for another answer: the server has to cut the connection
                raise
            response = JSONResponse({"detail": "The service failed."}, status_code=500)
            await response(scope, receive, remember_status)
        finally:
            milliseconds = (time.perf_counter() - began) * 1000
            logger.info("%s %r %d %.1f ms", scope["method"], scope["path"], status, milliseconds)
