"""Everything arrives later."""

from dataclasses import dataclass
from typing import ClassVar

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class Latency(Effect):
    """Delays each chunk by `latency` ms, give or take `jitter` ms, from when it came in. Order is kept.

    The queue makes it a longer line rather than a slower one.
    """

    buffer: ClassVar[int] = 1024

    latency: int = 0
    jitter: int = 0

    async def pipe(self, stub: Stub) -> None:
        async for chunk in stub:
            delay = self.latency
            if self.jitter > 0:
                delay += stub.random.randrange(-self.jitter, self.jitter)
            await stub.send(chunk, at=chunk.received + delay / 1000)
