"""Nothing happens."""

from dataclasses import dataclass

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class Noop(Effect):
    """Passes everything on: also what runs where toxicity spared a connection."""

    async def pipe(self, stub: Stub) -> None:
        async for chunk in stub:
            await stub.send(chunk)
