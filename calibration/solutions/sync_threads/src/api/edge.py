import re
import uuid

from starlette.exceptions import HTTPException

from api import logs
from api.errors import ApiError, to_response

LIMIT = 1_000_000
GOOD_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,100}")


class Edge:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        own = given if GOOD_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        logs.trace_id.set(own.decode())
        answered = False
        read = 0

        async def send_tagged(message):
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message = {**message, "headers": [*message["headers"], (b"x-request-id", own)]}
            await send(message)

        async def receive_some():
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LIMIT:
                raise HTTPException(413, "At most 1 MB.")  # what frameworks pass on rather than call a bad body
            return message

        try:
            if int(headers.get(b"content-length", b"0")) > LIMIT:
                raise ApiError(413, "too_large", "At most 1 MB.")
            await self.app(scope, receive_some, send_tagged)
        except Exception as error:
            if answered:
                raise
            if not isinstance(error, ApiError):
                error = ApiError(500, "internal_error", "An unexpected error.")
            await to_response(error)(scope, receive, send_tagged)
