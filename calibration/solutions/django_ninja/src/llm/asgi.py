"""What Django's ASGI application lacks: a lifespan, request ids everywhere, and limits on bodies."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from llm import services
from llm.errors import error_body
from llm.request_id import choose, request_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY = 1_000_000
BODY_TIMEOUT = 18


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def with_lifespan(app: App) -> App:
    async def wrapper(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        await services.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await services.stop()
        await send({"type": "lifespan.shutdown.complete"})

    return wrapper


def with_request_id(app: App) -> App:
    async def wrapper(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        id_ = choose(scope["headers"])

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", id_.encode())]
            await send(message)

        token = request_id.set(id_)
        try:
            await app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)

    return wrapper


def with_body_limits(app: App) -> App:
    """Django reads a body to its end before it looks at anything."""

    async def wrapper(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        try:
            if announced(scope) > MAX_BODY:
                raise Refused(413, "The body is too large")
            await app(scope, limited(receive), send)
        except Refused as e:
            await answer(send, e)

    return wrapper


def announced(scope: Message) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def limited(receive: Receive) -> Receive:
    deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT
    size = 0
    complete = False

    async def wrapper() -> Message:
        nonlocal size, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Refused(408, "The body did not arrive in time") from None
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise Refused(413, "The body is too large")
        complete = not message.get("more_body", False)
        return message

    return wrapper


async def answer(send: Send, error: Refused) -> None:
    body = json.dumps(error_body(error.status, error.message)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
