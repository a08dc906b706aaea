"""The connection is reset."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class ResetPeer(Effect):
    """Resets both sides `timeout` ms after the first data or the end of the stream; an idle connection lives."""

    timeout: int = 0

    async def pipe(self, stage: Stage) -> None:
        await stage.peek()
        await asyncio.sleep(self.timeout / 1000)
        stage.reset()
