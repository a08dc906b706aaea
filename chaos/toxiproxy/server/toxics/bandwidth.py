"""A thin line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


SLICE_MS: Final = 100


@dataclass(frozen=True)
class Bandwidth(Effect):
    """Lets `rate` kB (of 1000 bytes) through per second; with 0, the line stalls and keeps what was sent."""

    rate: int = 0

    def check(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative")

    async def pipe(self, stage: Stage) -> None:
        if self.rate == 0:
            await stage.hold()
            return
        due = asyncio.get_running_loop().time()
        while chunk := await stage.peek():
            piece = stage.take(self.rate * SLICE_MS)
            # Counting from the last piece's due time, not from now, keeps late wake-ups from adding up.
            due = max(due, chunk.received) + len(piece.data) / (self.rate * 1000)
            await stage.send(piece, at=due)
