"""The connection lingers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class SlowClose(Effect):
    """Passes everything on, and its end only `delay` ms later."""

    delay: int = 0

    async def pipe(self, stage: Stage) -> None:
        async for chunk in stage:
            await stage.send(chunk)
        await asyncio.sleep(self.delay / 1000)
