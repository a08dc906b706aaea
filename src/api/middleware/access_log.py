"""One record and one measurement for each request, at the end of its answer."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.services.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS

log = structlog.get_logger("api.access")

_LONGEST_PATH = 512


class AccessLogMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        began = time.perf_counter()
        status = 0  # stays 0 if the connection was lost before an answer began

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with HTTP_IN_FLIGHT.track_inprogress():
                await self.app(scope, receive, remember_status)
        finally:
            seconds = time.perf_counter() - began
            # The template, not the path: a label for every path would be without bound.
            route = getattr(scope.get("route"), "path", "unmatched")
            HTTP_REQUESTS.labels(scope["method"], route, status).inc()
            HTTP_SECONDS.labels(scope["method"], route).observe(seconds)
            level = "error" if status >= 500 else "warning" if status >= 400 else "info"
            # The query is left out: it may hold what is not for logs.
            getattr(log, level)(
                "request",
                method=scope["method"],
                path=scope["path"][:_LONGEST_PATH],
                status=status,
                duration_ms=round(seconds * 1000, 1),
                client=scope["client"][0] if scope.get("client") else None,
            )
