"""Server-sent events, as bytes: taking a stream apart into its events, and answering with one.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.services.errors import ClientDisconnectedError
from api.utils.disconnect import cancel_on_disconnect

log = structlog.get_logger("api.streams")

EVENT_STREAM = "text/event-stream"

_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")


class EventTooLongError(Exception):
    """An event has more bytes than may be held."""


async def split_events(chunks: AsyncIterator[bytes], *, longest: int) -> AsyncGenerator[bytes]:
    """The events of a stream, each with the blank line that ends it; an event without an end is left out.

    Raises EventTooLongError for an event of more than `longest` bytes.
    """
    rest = b""
    async for chunk in chunks:
        rest += chunk
        begin = 0
        for end in _END_OF_EVENT.finditer(rest):
            yield rest[begin : end.end()]
            begin = end.end()
        rest = rest[begin:]
        if len(rest) > longest:
            raise EventTooLongError


def event_data(event: bytes) -> bytes | None:
    """What an event says, or None if it is a comment or has no data."""
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


class EventStreamResponse(Response):
    """Sends `first` and then `events`, each as soon as it is there; closes `events` however the answer ends.

    No event is asked for before the one before has been taken: what a slow reader has not read stays in the source.
    A reader that takes nothing for `stall_timeout` seconds is left.
    """

    media_type = EVENT_STREAM

    def __init__(self, first: bytes, events: AsyncGenerator[bytes], *, stall_timeout: float) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._stall_timeout = stall_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        async with aclosing(self._events):
            try:
                await cancel_on_disconnect(receive, self._send(send))
            except ClientDisconnectedError:
                log.info("stream abandoned by its reader")
            except TimeoutError:
                log.warning("stream ended: its reader stands still", after_s=self._stall_timeout)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._send_part(send, self._first)
        async for event in self._events:
            await self._send_part(send, event)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_part(self, send: Send, part: bytes) -> None:
        async with asyncio.timeout(self._stall_timeout):
            await send({"type": "http.response.body", "body": part, "more_body": True})
