"""Everything arrives later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chaos.toxiproxy.server.effect import Effect

if TYPE_CHECKING:
    from chaos.toxiproxy.server.stage import Stage


@dataclass(frozen=True)
class Latency(Effect):
    """Delays each chunk by `latency` ms, give or take `jitter` ms, from when it came in. Order is kept.

    The queue makes it a longer line rather than a slower one.
    """

    buffer: ClassVar[int] = 1024

    latency: int = 0
    jitter: int = 0

    async def pipe(self, stage: Stage) -> None:
        async for chunk in stage:
            delay = self.latency
            if self.jitter > 0:
                delay += stage.random.randrange(-self.jitter, self.jitter)
            await stage.send(chunk, at=chunk.received + delay / 1000)
