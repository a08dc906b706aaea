import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import logs

log = logging.getLogger("api.access")
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Outermost: gives the request its id, writes its access line, and answers what nobody has caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if SANE.fullmatch(given) else uuid.uuid4().hex
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
            log.error("unhandled exception", exc_info=e)
            response = JSONResponse({"detail": "Internal server error"}, 500)
            await response(scope, receive, tagged)
        finally:
            log.log(
                logging.ERROR if status >= 500 or not status else logging.INFO,
                "%s %s -> %s", scope["method"], scope["path"], status,
                extra={"status": status, "duration_ms": round((time.perf_counter() - began) * 1000, 1)},
            )
