"""What every request passes: its id, its size, and the last resort for exceptions."""

import asyncio
import logging
import uuid

from api import failures, jsonlog
from api.failures import Failure

log = logging.getLogger("api.edge")
ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
BODY_SECONDS = 10.0


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    given = next((value.decode("latin-1") for name, value in headers if name == b"x-request-id"), "")
    return given if 8 <= len(given) <= 128 and ALLOWED.issuperset(given) else str(uuid.uuid4())


class Edge:
    def __init__(self, app, max_body: int) -> None:
        self.app, self.max_body = app, max_body

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        own = request_id(scope["headers"])
        jsonlog.correlation_id.set(own)
        started = False

        async def send_with_id(message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", own.encode())]
            await send(message)

        try:
            body = await self._body(scope, receive)
        except Failure as failure:
            response = failures.answer(failure)
            response.headers["connection"] = "close"
            await response(scope, receive, send_with_id)
            return
        if body is None:
            return  # the client is gone
        given = False

        async def receive_body():
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self.app(scope, receive_body, send_with_id)
        except Exception:
            if started:
                raise
            response = failures.answer(Failure(500, "internal", "An unexpected error."), exc_info=True)
            await response(scope, receive, send_with_id)

    async def _body(self, scope, receive) -> bytes | None:
        too_large = Failure(413, "too_large", f"No more than {self.max_body} bytes, please.")
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self.max_body:
                raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self.max_body:
                        raise too_large
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise Failure(408, "too_slow", "The body took too long to arrive.") from None
