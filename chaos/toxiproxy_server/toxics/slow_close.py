"""The connection lingers."""

import asyncio
from dataclasses import dataclass

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class SlowClose(Effect):
    """Passes everything on, and its end only `delay` ms later."""

    delay: int = 0

    async def pipe(self, stub: Stub) -> None:
        async for chunk in stub:
            await stub.send(chunk)
        await asyncio.sleep(self.delay / 1000)
