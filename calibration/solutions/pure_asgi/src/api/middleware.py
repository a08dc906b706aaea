"""Pure ASGI, from the outside in. None of them knows the others, but for the order in `stack`."""

import logging
import re
import signal
import time
import uuid
from functools import partial

import jwt
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.logging_json import request_id_var
from api.settings import Settings

access = logging.getLogger("api.access")
log = logging.getLogger("api.middleware")
UUID_LIKE = re.compile(r"[0-9a-fA-F-]{16,40}")
PUBLIC = ("/health", "/metrics", "/auth/login", "/llm/models", "/v1/models")


class _Http:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.handle(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


class RequestId(_Http):
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id")
        own = given if given and UUID_LIKE.fullmatch(given) else str(uuid.uuid4())
        token = request_id_var.set(own)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("X-Request-ID", own)
            await send(message)

        try:
            await self.app(scope, receive, with_id)
        finally:
            request_id_var.reset(token)


class AccessLog(_Http):
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        status = 499

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            level = logging.WARNING if status >= 500 else logging.INFO
            took = round(time.monotonic() - began, 4)
            access.log(level, "request", extra={
                "http_method": scope["method"], "path": scope["path"], "status_code": status, "seconds": took,
            })


class Errors(_Http):
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except errors.ApiError as error:
            if begun:
                raise
            await errors.render(error)(scope, receive, send)
        except Exception:
            log.exception("unhandled")
            if not begun:
                await errors.render(errors.ApiError())(scope, receive, send)


class Drain(_Http):
    """After SIGTERM nothing new is begun, also on connections that are still open. The server hears the signal too."""

    draining = False

    @classmethod
    def listen(cls) -> None:
        servers_own = signal.getsignal(signal.SIGTERM)

        def told(number: int, frame: object) -> None:
            cls.draining = True
            if callable(servers_own):
                servers_own(number, frame)

        signal.signal(signal.SIGTERM, told)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.draining:
            raise errors.Draining(headers={"Retry-After": "5", "Connection": "close"})
        await self.app(scope, receive, send)


class BodyLimit(_Http):
    def __init__(self, app: ASGIApp, limit: int) -> None:
        super().__init__(app)
        self.limit = limit

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if int(headers.get("content-length", 0)) > self.limit:
            raise errors.TooLarge(headers={"Connection": "close"})
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body") or b"")
            if seen > self.limit:
                raise errors.TooLarge(headers={"Connection": "close"})
            return message

        await self.app(scope, counted, send)


class Authentication(_Http):
    def __init__(self, app: ASGIApp, key: str) -> None:
        super().__init__(app)
        self.key = key

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not any(scope["path"] == path or scope["path"].startswith(path + "/") for path in PUBLIC):
            kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            if kind.lower() != "bearer":
                raise errors.Unauthorized(headers={"WWW-Authenticate": "Bearer"})
            try:
                claims = jwt.decode(token, self.key, algorithms=["HS256"], options={"require": ["exp", "sub"]})
            except jwt.exceptions.PyJWTError:
                raise errors.Unauthorized(headers={"WWW-Authenticate": "Bearer"}) from None
            scope.setdefault("state", {})["user"] = claims["sub"]
        await self.app(scope, receive, send)


async def http_exception(_request, error: HTTPException) -> JSONResponse:
    told = errors.ApiError(str(error.detail), headers=dict(error.headers or {}))
    told.status, told.error = error.status_code, "http"  # type: ignore[misc]
    return errors.render(told)


async def api_error(_request, error: errors.ApiError) -> JSONResponse:
    return errors.render(error)


async def crash(_request, _error: Exception) -> JSONResponse:
    return errors.render(errors.ApiError())


HANDLERS = {HTTPException: http_exception, errors.ApiError: api_error, Exception: crash}


def stack(app: ASGIApp, settings: Settings) -> ASGIApp:
    cors = partial(
        CORSMiddleware, allow_origins=settings.cors_origins, allow_credentials=True,
        allow_methods=("GET", "POST", "DELETE"), allow_headers=("authorization", "content-type", "x-request-id"),
        expose_headers=("x-request-id",),
    )
    inside_out = (
        partial(Authentication, key=settings.jwt_secret_key),
        partial(BodyLimit, limit=2**20),
        Drain,
        Errors,
        cors,
        AccessLog,
        RequestId,
    )
    for middleware in inside_out:
        app = middleware(app)
    return app
