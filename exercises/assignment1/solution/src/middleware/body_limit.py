"""Refuses bodies that are too large, whether their size is announced or not."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DRAIN_SECONDS = 2.0


class BodyLimitMiddleware:
    """Reads the body before the application starts, and answers `refuse()` if it has more than `limit` bytes."""

    def __init__(self, app: ASGIApp, *, limit: int, refuse: Callable[[], Response]) -> None:
        self.app = app
        self.limit = limit
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        messages = await self._read(scope, receive)
        if messages is None:
            await _drain(receive)
            await self.refuse()(scope, receive, send)
            return
        pending = iter(messages)

        async def replay() -> Message:
            return next(pending, None) or await receive()

        await self.app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> list[Message] | None:
        """Return the messages of the body, or None if it is too large."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self.limit:
            return None
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.limit:
                return None
            if not message.get("more_body", False):
                return messages


async def _drain(receive: Receive) -> None:
    """Take the rest of the body for a moment: a client that is still sending could lose the answer to a reset."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
