"""Plain ASGI middleware: request ids, unexpected errors, and the size of bodies."""

import logging
import re
import uuid

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.api.errors import error_body

logger = logging.getLogger(__name__)

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
MAX_BODY = 16 * 1024 * 1024


def request_id_of(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if SANE_ID.fullmatch(given) else uuid.uuid4().hex


class RequestIdMiddleware:
    """Gives each request an id, and an answer even where something unexpected breaks."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["request_id"] = request_id_of(scope)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            # Only the type: a message may hold what must not be in a log.
            logger.error("request %s: unexpected %s", request_id, type(error).__name__)
            if started:
                raise
            body = error_body("internal_error", "Something went wrong.", request_id)
            await JSONResponse(body, 500)(scope, receive, send_with_id)


class BodyLimitMiddleware:
    """Answers 413 for a body that is too large, before anything parses it."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            message = f"The body is larger than {self.limit} bytes."
            response = JSONResponse(
                error_body("body_too_large", message, scope.get("request_id")), 413
            )
            await response(scope, receive, send)
            return
        await self.app(scope, replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or None. One that is too large is read to its end, but not kept, so
        that its sender gets to see the answer."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self.limit:
                chunks.append(chunk)
            else:
                chunks.clear()
            if not message.get("more_body", False):
                return b"".join(chunks) if size <= self.limit else None


def replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
