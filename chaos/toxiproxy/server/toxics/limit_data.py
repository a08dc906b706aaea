"""The connection ends after so many bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class LimitData(Effect):
    """Closes the connection once `bytes` bytes have passed since the toxic came to it, updates included.

    With 0 that is on the first data.
    """

    bytes: int = 0

    async def pipe(self, stage: Stage) -> None:
        while await stage.peek():
            if (room := self.bytes - stage.transmitted) > 0:
                piece = stage.take(room)
                stage.transmitted += len(piece.data)
                await stage.send(piece)
            if stage.transmitted >= self.bytes:
                return
