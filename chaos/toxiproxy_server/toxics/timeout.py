"""Data vanishes, and after a while the connection is closed."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class Timeout(Effect):
    """Drops everything, and closes the connection `timeout` ms after the last chunk that it dropped; with 0, never."""

    closes_on_removal: ClassVar[bool] = True

    timeout: int = 0

    async def pipe(self, stub: Stub) -> None:
        patience = self.timeout / 1000 if self.timeout > 0 else None
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(patience):
                    if await stub.receive() is None:
                        return
