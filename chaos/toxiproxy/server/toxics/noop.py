"""Nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class Noop(Effect):
    """Passes everything on: also what runs where toxicity spared a connection."""

    async def pipe(self, stage: Stage) -> None:
        async for chunk in stage:
            await stage.send(chunk)
