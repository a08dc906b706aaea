"""Data vanishes, and after a while the connection is closed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class Timeout(Effect):
    """Drops everything, and closes the connection `timeout` ms after the last chunk that it dropped; with 0, never."""

    closes_on_removal: ClassVar[bool] = True

    timeout: int = 0

    async def pipe(self, stage: Stage) -> None:
        patience = self.timeout / 1000 if self.timeout > 0 else None
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(patience):
                    if await stage.receive() is None:
                        return
