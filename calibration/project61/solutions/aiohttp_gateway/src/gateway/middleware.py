"""Around every request: its id, its log line, its metrics, and errors in OpenAI's form."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from .database import Unavailable
from .errors import ApiError, from_http
from .metrics import Metrics

log = structlog.get_logger("gateway.access")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
UNMEASURED = {"/metrics"}


def route_of(request: web.Request) -> str:
    """The route's template: paths come from outside, and may be endless or secret."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


class Around:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @property
    def middleware(self) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._handle(request, handler)

        return around

    async def _handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.headers.get("X-Request-ID", "")
        request["id"] = asked if ID.fullmatch(asked) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request["id"])
        route, began, status = route_of(request), time.perf_counter(), 499
        measured = route not in UNMEASURED
        if measured:
            self._metrics.in_flight.inc()
        try:
            response = await self._answer(request, handler)
            status = request.get("failed", response.status)
            if not response.prepared:
                response.headers["X-Request-ID"] = request["id"]
                for name, value in request.get("headers", {}).items():
                    response.headers.setdefault(name, value)
            return response
        finally:
            elapsed = time.perf_counter() - began
            if measured:
                self._metrics.in_flight.dec()
                self._metrics.observe(request.method, route, status, elapsed)
            log.info(
                "request", method=request.method, route=route, status=status, seconds=round(elapsed, 4),
                user=request["caller"].name if "caller" in request else None,
            )

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return error.response()
        except web.HTTPException as error:
            return from_http(error).response()
        except Unavailable:
            return ApiError(
                503, "The database is not available at the moment.", code="database_unavailable",
                headers={"Retry-After": "5"},
            ).response()
        except (asyncio.CancelledError, ConnectionError):
            raise  # the caller has gone
        except Exception:
            log.exception("unexpected failure")
            return ApiError(500, "The gateway failed.", code="internal_error").response()
