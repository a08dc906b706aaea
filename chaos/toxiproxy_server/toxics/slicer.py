"""Data comes in small pieces."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class Slicer(Effect):
    """Cuts chunks in two until the pieces have at most `average_size` + `size_variation` bytes.

    Each cut is off the middle by up to `size_variation` bytes. `delay` microseconds lie between the pieces.
    """

    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    def check(self) -> None:
        if self.average_size < 1:
            raise ValueError("average_size must be at least 1")
        if not 0 <= self.size_variation <= self.average_size:
            raise ValueError("size_variation must be between 0 and average_size")

    async def pipe(self, stub: Stub) -> None:
        clock = asyncio.get_running_loop().time
        due = 0.0
        while chunk := await stub.peek():
            due = max(due, clock())
            for size in self.sizes(len(chunk.data), stub.random):
                await stub.send(stub.take(size), at=due)
                due += self.delay / 1_000_000

    def sizes(self, total: int, random: Random) -> Iterator[int]:
        """How many bytes each piece of a chunk of `total` bytes has."""
        if total <= self.average_size + self.size_variation:
            yield total
            return
        middle = total // 2
        if self.size_variation > 0:
            middle += random.randrange(-self.size_variation, self.size_variation)
        middle = min(max(middle, 1), total - 1)
        yield from self.sizes(middle, random)
        yield from self.sizes(total - middle, random)
