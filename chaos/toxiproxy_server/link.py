"""One direction of one connection."""

import asyncio
from collections.abc import Callable, Iterable

from chaos.toxiproxy_server.endpoint import Endpoint
from chaos.toxiproxy_server.toxic import Toxic
from chaos.toxiproxy_server.toxic_stub import ToxicStub


def no_reset() -> None:
    """A connection that was open before the toxic came ends normally."""


class Link:
    """The chain `source -> stub -> ... -> sink`, with a stub for each toxic.

    Toxics work from `start` on, and may come and go before that; meanwhile bytes wait in the chain. `key` seeds the
    stubs; `reset` makes the connection's sockets close with a TCP reset.
    """

    def __init__(
        self,
        source: Endpoint,
        sink: Endpoint,
        toxics: Iterable[Toxic],
        *,
        key: str,
        reset: Callable[[], None],
    ) -> None:
        self._source = source
        self._sink = sink
        self._key = key
        self._stubs = [self._stub(toxic, reset) for toxic in toxics]
        self._started = False
        self._wire()

    def start(self) -> None:
        """Let bytes flow; both endpoints are connected."""
        self._started = True
        for stub in self._stubs:
            stub.start()
        self._wire()

    def add(self, toxic: Toxic) -> None:
        """Put the toxic at the end of the chain; what has passed the chain is not called back."""
        if self._sink.finished:
            return
        stub = self._stub(toxic, no_reset)
        self._stubs.append(stub)
        if self._started:
            stub.start()
        self._wire()

    async def update(self, toxic: Toxic) -> None:
        """Replace the toxic of the same name."""
        await asyncio.gather(*(stub.replace(toxic) for stub in self._named(toxic.name)))

    async def remove(self, name: str) -> None:
        """Take the toxic out of the chain; what it held up passes on."""
        for stub in self._named(name):
            await stub.leave()
            self._stubs.remove(stub)
        self._wire()

    def discard(self) -> None:
        """Stop all stubs, as the connection is gone."""
        for stub in self._stubs:
            stub.discard()

    def _stub(self, toxic: Toxic, reset: Callable[[], None]) -> ToxicStub:
        return ToxicStub(toxic, f"{self._key}/{toxic.name}", reset)

    def _named(self, name: str) -> list[ToxicStub]:
        return [stub for stub in self._stubs if stub.toxic.name == name]

    def _wire(self) -> None:
        outlets: list[Endpoint | ToxicStub] = [self._source, *self._stubs]
        inlets: list[Endpoint | ToxicStub] = [*self._stubs, self._sink]
        for outlet, inlet in zip(outlets, inlets, strict=True):
            outlet.next = inlet
            inlet.previous = outlet
        if self._started:
            for outlet in outlets:
                outlet.resume()
