import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

import config
import logs
import problems

log = logs.get("access")
VALID_ID = re.compile(r"[\w\-]{1,72}", re.ASCII)


class TooLarge(HTTPException):
    """An HTTPException, for FastAPI calls everything else that happens while a body is read a bad body."""

    def __init__(self):
        super().__init__(413, "The body is larger than 1 MB.", {"connection": "close"})


class Gate:
    """Request id, body limit, access line, and an answer to what nobody expected."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not VALID_ID.fullmatch(request_id):
            request_id = f"req_{uuid.uuid4().hex}"
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        size = 0
        status = None
        start = time.perf_counter()

        async def counted_receive():
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > config.MAX_BODY:
                raise TooLarge
            return message

        async def marked_send(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            if int(headers.get("content-length", 0)) > config.MAX_BODY:
                raise TooLarge
            await self.app(scope, counted_receive, marked_send)
        except TooLarge as exc:
            answer = problems.response(413, exc.detail, headers=exc.headers)
            await answer(scope, receive, marked_send)
        except Exception:
            log.exception("unhandled exception")
            if status is None:
                await problems.response(500, "Internal error.")(scope, receive, marked_send)
        finally:
            level = log.error if status is None or status >= 500 else log.info
            level("request", method=scope["method"], path=scope["path"], status=status,
                  duration=round(time.perf_counter() - start, 4))
