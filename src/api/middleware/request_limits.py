"""Bounds on a request's body: its size, whether announced or not, and the time that it may take to arrive.

The body is read here, whole, before the application starts: it is bounded, and a deadline for the answer should not
be spent on a slow upload.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.services.errors import BodyTimeoutError, BodyTooLargeError, ServiceError
from api.utils.error_response import service_error_response

_LINGER_SECONDS = 2.0


class _DisconnectedError(Exception):
    """The client went away in the middle of its body."""


class RequestLimitsMiddleware:
    """Answers 413 to a body of more than `max_body_bytes`, 408 to one not complete after `body_timeout` seconds."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, body_timeout: float) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        try:
            body = await self._read(scope, receive)
        except ServiceError as error:
            response = service_error_response(error, scope, headers={"Connection": "close"})
            await _answer_and_linger(response, scope, receive, send)
            return
        except _DisconnectedError:
            return

        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self.max_body_bytes:
            raise BodyTooLargeError(f"{announced} bytes announced")
        body = bytearray()
        try:
            async with asyncio.timeout(self.body_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _DisconnectedError
                    body += message.get("body", b"")
                    if len(body) > self.max_body_bytes:
                        raise BodyTooLargeError(f"{len(body)} bytes received, and more to come")
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BodyTimeoutError(f"{len(body)} bytes received in {self.body_timeout} s") from None


async def _answer_and_linger(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the whole answer at once, then read on for a moment before the connection closes.

    Closing while the client still sends resets the connection, and the client may lose the answer with it. Clients
    that only read once they have sent everything need their rest taken.
    """

    async def hold_back_the_end(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    await response(scope, receive, hold_back_the_end)
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
