"""The connection ends after so many bytes."""

from dataclasses import dataclass

from chaos.toxiproxy_server.effect import Effect, Stub


@dataclass(frozen=True)
class LimitData(Effect):
    """Closes the connection once `bytes` bytes have passed since the toxic came to it, updates included.

    With 0 that is on the first data.
    """

    bytes: int = 0

    async def pipe(self, stub: Stub) -> None:
        while await stub.peek():
            if (room := self.bytes - stub.transmitted) > 0:
                piece = stub.take(room)
                stub.transmitted += len(piece.data)
                await stub.send(piece)
            if stub.transmitted >= self.bytes:
                return
