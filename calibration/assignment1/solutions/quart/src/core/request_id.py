"""An ASGI wrapper: each response has an X-Request-ID."""

import re
import uuid
from contextvars import ContextVar

SANE = re.compile(rb"[A-Za-z0-9._-]{1,128}")
current: ContextVar[str] = ContextVar("request_id", default="-")


class RequestId:
    def __init__(self, app) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = sent if SANE.fullmatch(sent) else uuid.uuid4().hex.encode()
        current.set(request_id.decode())

        async def send_with_id(message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"x-request-id", request_id)]}
            await send(message)

        await self._app(scope, receive, send_with_id)
