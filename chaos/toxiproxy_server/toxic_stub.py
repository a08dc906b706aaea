"""One toxic at work on one direction of one connection."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from random import Random

from chaos.toxiproxy_server.chain import NOWHERE, Inlet, Outlet
from chaos.toxiproxy_server.chunk import Chunk
from chaos.toxiproxy_server.effect import Effect, Stub
from chaos.toxiproxy_server.toxic import Toxic
from chaos.toxiproxy_server.toxics.noop import Noop

logger = logging.getLogger(__name__)

NOOP = Noop()


class ToxicStub(Stub):
    """Runs a toxic's effect in a task, between a queue of chunks and the next inlet.

    `key` names this stub in all the world: with the number of starts it seeds `random`, so that what befalls a
    connection depends on the seed and on nothing that happens to other connections.
    """

    def __init__(self, toxic: Toxic, key: str, reset: Callable[[], None]) -> None:
        self.toxic = toxic
        self.reset = reset
        self.next: Inlet = NOWHERE
        self.previous: Outlet = NOWHERE
        self.random = Random()  # noqa: S311 (reproducible on purpose)
        self.transmitted = 0
        self._key = key
        self._starts = 0
        self._queue: deque[Chunk] = deque()
        self._ended = False
        self._closed = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # What an effect may use.

    def __aiter__(self) -> "ToxicStub":
        return self

    async def __anext__(self) -> Chunk:
        chunk = await self.receive()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def receive(self) -> Chunk | None:
        chunk = await self.peek()
        return self.take(len(chunk.data)) if chunk else None

    async def peek(self) -> Chunk | None:
        while not self._queue:
            if self._ended:
                return None
            await self._changed()
        return self._queue[0]

    def take(self, size: int) -> Chunk:
        was_full = self.full
        chunk = self._queue.popleft()
        if len(chunk.data) > size:
            chunk, rest = chunk.split(size)
            self._queue.appendleft(rest)
        elif was_full:
            self.previous.resume()
        return chunk

    async def hold(self) -> None:
        while self._queue or not self._ended:
            await self._changed()

    async def send(self, chunk: Chunk, *, at: float | None = None) -> None:
        clock = asyncio.get_running_loop().time
        try:
            if at is not None and (delay := at - clock()) > 0:
                await asyncio.sleep(delay)
            while self.next.full:
                await self._changed()
        finally:
            if at is not None:
                # For the next stub this is when it came in: the delays of several toxics add up.
                chunk = Chunk(chunk.data, min(at, clock()))
            self.next.feed(chunk)

    # What its neighbours do.

    @property
    def full(self) -> bool:
        return len(self._queue) >= self.toxic.effect.buffer

    def feed(self, chunk: Chunk) -> None:
        if not self._closed:
            self._queue.append(chunk)
            self._news.set()

    def finish(self) -> None:
        self._ended = True
        self._news.set()

    def resume(self) -> None:
        self._news.set()

    # What its link does.

    def start(self) -> None:
        """Roll the dice for this connection, and set to work."""
        self._starts += 1
        self.random = Random(f"{self._key}/{self._starts}")  # noqa: S311 (reproducible on purpose)
        affected = self.random.random() < self.toxic.toxicity
        self._task = asyncio.create_task(self._run(self.toxic.effect if affected else NOOP))

    async def replace(self, toxic: Toxic) -> None:
        """Go on with the new version of the toxic; the chunk that was being held up passes at once."""
        await self._interrupt()
        self.toxic = toxic
        if self._task is not None and not self._closed:
            self.start()

    async def leave(self) -> None:
        """Stop, and pass on all that is here, so that the stub can be taken out of its chain."""
        await self._interrupt()
        if self.toxic.effect.closes_on_removal:
            self.close()
        elif not self._closed:
            while self._queue:
                self.next.feed(self._queue.popleft())
            if self._ended:
                self.next.finish()

    def close(self) -> None:
        """End the stream here: what is queued, and what still comes, is dropped."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self.next.finish()
        self.previous.resume()

    def discard(self) -> None:
        """Stop without a trace, as the connection is gone."""
        self._closed = True
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self, effect: Effect) -> None:
        try:
            await effect.pipe(self)
        except Exception:
            logger.exception("toxic %s failed, closing its connection", self.toxic.name)
        self.close()

    async def _interrupt(self) -> None:
        # Ends within a turn or two of the event loop: no effect waits for anything once it is cancelled.
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _changed(self) -> None:
        self._news.clear()
        await self._news.wait()
