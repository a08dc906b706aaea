"""The connection is reset."""

import asyncio
from dataclasses import dataclass

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class ResetPeer(Effect):
    """Resets both sides `timeout` ms after the first data or the end of the stream; an idle connection lives."""

    timeout: int = 0

    async def pipe(self, stub: Stub) -> None:
        await stub.peek()
        await asyncio.sleep(self.timeout / 1000)
        stub.reset()
