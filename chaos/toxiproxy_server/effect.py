"""What a toxic does to a stream."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Protocol

from chaos.toxiproxy_server.chunk import Chunk


class Stub(Protocol):
    """What an effect may use of the stub that it works in: the chunks of one direction of one connection.

    Iterating takes each chunk until the stream ends. `random` is the connection's own, `transmitted` is for the effect
    to count in, and `reset` makes the connection's sockets close with a TCP reset.
    """

    random: Random
    transmitted: int
    reset: Callable[[], None]

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def receive(self) -> Chunk | None:
        """Take the next chunk; None once the stream has ended."""

    async def peek(self) -> Chunk | None:
        """Wait for the next chunk and leave it where it is; None once the stream has ended."""

    def take(self, size: int) -> Chunk:
        """Take at most `size` bytes of the chunk that `peek` showed."""

    async def hold(self) -> None:
        """Let nothing through, and lose nothing: waits for an end of the stream that no chunk precedes."""

    async def send(self, chunk: Chunk, *, at: float | None = None) -> None:
        """Pass `chunk` on at the event loop's time `at`, or as soon after that as the next inlet has room.

        An interruption passes it on at once.
        """


@dataclass(frozen=True)
class Effect(ABC):
    """A toxic's attributes, all integers, and the loop that it runs on every connection.

    What a connection needs to remember is in its stub, so one effect serves all connections.
    """

    buffer: ClassVar[int] = 1
    """How many chunks may queue before it."""

    closes_on_removal: ClassVar[bool] = False
    """Whether connections cannot go on without it, because data was dropped."""

    def check(self) -> None:
        """Raise ValueError where the attributes make no sense together."""
        return

    @abstractmethod
    async def pipe(self, stub: Stub) -> None:
        """Pass the stub's chunks on in its own way; returning ends the stream.

        It is cancelled whenever the toxic changes, and must neither hold a chunk outside `Stub.send` then nor wait for
        anything: what it has not taken stays in the stub's queue.
        """
