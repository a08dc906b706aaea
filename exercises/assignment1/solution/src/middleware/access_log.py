"""Logs each request at its end."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_LONGEST_PATH = 200


class AccessLogMiddleware:
    """Logs method, path, status and duration. The query is left out: it can hold anything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0  # stays 0 if the connection is lost before the response begins

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, remember_status)
        finally:
            fields = {
                "method": scope["method"],
                "path": scope["path"][:_LONGEST_PATH],
                "status": status,
                "duration_ms": round((time.perf_counter() - began) * 1000, 1),
                "client": scope["client"][0] if scope.get("client") else None,
            }
            logger.info("request", extra={"fields": fields})
