"""What an upstream stand-in was asked and how it answered, recorded and awaitable."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from chaos.history import Call, Reply, Upstream
from chaos.http_server import ClientGone, HttpRequest, Responder
from chaos.recorder import Recorder

T = TypeVar("T")

# A history joins calls and replies by number across all upstreams, so the stand-ins of one recorder share a counter.
_call_numbers: WeakKeyDictionary[Recorder, Iterator[int]] = WeakKeyDictionary()


class Journal:
    """Records the calls that reach one stand-in, and lets others wait until they have."""

    def __init__(self, recorder: Recorder, upstream: Upstream) -> None:
        self.calls: list[Call] = []
        self.replies: list[Reply] = []
        self._recorder = recorder
        self._upstream = upstream
        self._numbers = _call_numbers.setdefault(recorder, itertools.count(1))
        self._changed = asyncio.Event()

    def call(
        self,
        request: HttpRequest,
        *,
        key: str | None = None,
        step: str = "",
        counted: bool = True,
        model: str | None = None,
        asked: str = "",
    ) -> Call:
        """Record that `request` has arrived."""
        call = self._recorder.record(
            Call(
                call=next(self._numbers),
                upstream=self._upstream,
                method=request.method,
                path=request.path,
                connection=request.connection,
                key=key,
                step=step,
                counted=counted,
                model=model,
                asked=asked,
            )
        )
        self.calls.append(call)
        self.changed()
        return call

    def reply(
        self,
        call: Call,
        outcome: Literal["answered", "broken", "client-gone"],
        status: int | None = None,
        *,
        usage: tuple[int, int] | None = None,
    ) -> None:
        """Record how `call` ended."""
        self.replies.append(
            self._recorder.record(Reply(call=call.call, outcome=outcome, status=status, usage=usage))
        )
        self.changed()

    async def answer(
        self,
        call: Call,
        responder: Responder,
        status: int,
        body: bytes,
        content_type: str = "application/json",
    ) -> None:
        """Answer `call` in one piece, and record how that went."""
        with self.losing(call):
            await responder.send(status, body, headers=[("content-type", content_type)])
        self.reply(call, "answered", status)

    @contextmanager
    def losing(self, call: Call) -> Iterator[None]:
        """Record the loss of the client, where that is how `call` ends."""
        try:
            yield
        except ClientGone as gone:
            self.reply(call, "client-gone", gone.status)
            raise

    def changed(self) -> None:
        """Wake those who wait, to look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, look: Callable[[], T | None], timeout: float) -> T:
        """What `look` returns, as soon as it is not None; raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while (found := look()) is None:
                await self._changed.wait()
            return found
