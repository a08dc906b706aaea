"""A thin line."""

import asyncio
from dataclasses import dataclass
from typing import Final

from chaos.toxiproxy_server.effect import Effect, Stub

SLICE_MS: Final = 100


@dataclass(frozen=True)
class Bandwidth(Effect):
    """Lets `rate` kB (of 1000 bytes) through per second; with 0, the line stalls and keeps what was sent."""

    rate: int = 0

    def check(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative")

    async def pipe(self, stub: Stub) -> None:
        if self.rate == 0:
            await stub.hold()
            return
        due = asyncio.get_running_loop().time()
        while chunk := await stub.peek():
            piece = stub.take(self.rate * SLICE_MS)
            # Counting from the last piece's due time, not from now, keeps late wake-ups from adding up.
            due = max(due, chunk.received) + len(piece.data) / (self.rate * 1000)
            await stub.send(piece, at=due)
