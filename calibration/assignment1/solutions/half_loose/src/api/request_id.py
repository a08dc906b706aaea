import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse


class RequestId:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if re.fullmatch(r"[a-zA-Z0-9._-]{1,128}", given) else uuid4().hex

        async def send_with_id(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("X-Request-ID", request_id)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            response = PlainTextResponse("Internal error", 500)
            await response(scope, receive, send_with_id)
