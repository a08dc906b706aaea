"""One direction of one connection."""

import asyncio
from collections.abc import Callable, Iterable

from chaos.toxiproxy.server.endpoint import Endpoint
from chaos.toxiproxy.server.stage import Stage
from chaos.toxiproxy.server.toxic import Toxic


def no_reset() -> None:
    """A connection that was open before the toxic came ends normally."""


class Link:
    """The chain `source -> stage -> ... -> sink`, one stage per toxic.

    Nothing flows before `start`, though toxics may come and go. `key` seeds the stages; `reset` makes the
    connection's sockets close with a TCP reset.
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
        self._stages = [self._stage(toxic, reset) for toxic in toxics]
        self._started = False
        self._wire()

    def start(self) -> None:
        """Let bytes flow; both endpoints are connected."""
        self._started = True
        for stage in self._stages:
            stage.start()
        self._wire()

    def add(self, toxic: Toxic) -> None:
        """Put the toxic at the end of the chain; what has passed the chain is not called back."""
        if self._sink.finished:
            return
        stage = self._stage(toxic, no_reset)
        self._stages.append(stage)
        if self._started:
            stage.start()
        self._wire()

    async def update(self, toxic: Toxic) -> None:
        """Replace the toxic of the same name."""
        await asyncio.gather(*(stage.replace(toxic) for stage in self._named(toxic.name)))

    async def remove(self, name: str) -> None:
        """Take the toxic out of the chain; what it held up passes on."""
        for stage in self._named(name):
            await stage.leave()
            self._stages.remove(stage)
        self._wire()

    def discard(self) -> None:
        """Stop all stages, as the connection is gone."""
        for stage in self._stages:
            stage.discard()

    def _stage(self, toxic: Toxic, reset: Callable[[], None]) -> Stage:
        return Stage(toxic, f"{self._key}/{toxic.name}", reset)

    def _named(self, name: str) -> list[Stage]:
        return [stage for stage in self._stages if stage.toxic.name == name]

    def _wire(self) -> None:
        outlets: list[Endpoint | Stage] = [self._source, *self._stages]
        inlets: list[Endpoint | Stage] = [*self._stages, self._sink]
        for outlet, inlet in zip(outlets, inlets, strict=True):
            outlet.next = inlet
            inlet.previous = outlet
        if self._started:
            for outlet in outlets:
                outlet.resume()
