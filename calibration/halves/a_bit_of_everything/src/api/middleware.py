import logging
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import logs
from api.errors import error_response

log = logging.getLogger("api.access")


class RequestId:
    """Outermost: gives the request its id, writes its access line, and answers what nobody has caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id = uuid.uuid4().hex
        logs.request_id.set(request_id)
        began, status = time.perf_counter(), 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, tagged)
        except Exception as e:
            if status:
                raise
            response = error_response(500, "internal_error", "Something went wrong on our side.", exc_info=e)
            await response(scope, receive, tagged)
        finally:
            log.log(
                logging.ERROR if status >= 500 or not status else logging.INFO,
                "%s %s -> %s", scope["method"], scope["path"], status,
                extra={"status": status, "duration_ms": round((time.perf_counter() - began) * 1000, 1)},
            )


class TooLarge(Exception):
    pass


class BodyLimit:
    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "0")
        seen = 0
        buffered: list[Message] = []
        if length.isdigit() and int(length) > self.limit:
            return await self.refuse(scope, receive, send)
        # Read it all here: then a refusal cannot collide with whatever the handler makes of half a body.
        while True:
            message = await receive()
            buffered.append(message)
            seen += len(message.get("body", b""))
            if seen > self.limit:
                return await self.refuse(scope, receive, send)
            if not message.get("more_body"):
                break

        async def replay() -> Message:
            return buffered.pop(0) if buffered else await receive()

        await self.app(scope, replay, send)

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = error_response(
            413, "payload_too_large", f"A body has at most {self.limit} bytes.", headers={"Connection": "close"}
        )
        await response(scope, receive, send)
