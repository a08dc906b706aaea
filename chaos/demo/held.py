"""The faults that a command sets, holds for a while, and heals."""

import math
import time
from typing import Protocol

from chaos.demo.board import Board, faults
from chaos.demo.errors import WrongUseError
from chaos.demo.mark import Kind, Mark
from chaos.demo.model import ScriptedModel, failing
from chaos.demo.quantities import spoken
from chaos.demo.service import Service


class HeldFault(Protocol):
    """A fault for as long as a command holds it."""

    @property
    def text(self) -> str:
        """What it is, for people."""

    async def begin(self, until: float) -> None:
        """Break things, to be healed at `until` (Unix time); raises WrongUseError where that cannot be."""

    async def over(self) -> str | None:
        """Say why it has ended before its time; None as long as it has not."""

    async def end(self) -> None:
        """Heal, whether it has begun or not."""


class _Marked:
    """A fault that stands on the board."""

    def __init__(self, board: Board, proxy: str, kind: Kind, text: str) -> None:
        self.board = board
        self.proxy = proxy
        self.kind = kind
        self.text = text
        self._mark: Mark | None = None

    async def mark(self, until: float) -> str:
        """Make sure that the fault can be, and return the name of its toxic."""
        await self._check()
        self._mark = Mark(self.kind, math.ceil(until))
        return self._mark.name

    async def over(self) -> str | None:
        marks = [fault.mark for fault in await self.board.faults() if fault.proxy == self.proxy]
        return None if self._mark in marks else healed_by_another(self.text)

    async def end(self) -> None:
        if self._mark:
            await self.board.heal(self.proxy, self._mark)

    async def _check(self) -> None:
        proxies = await self.board.toxiproxy.proxies()
        if self.proxy not in proxies:
            there = ", ".join(sorted(proxies)) or "none at all"
            raise WrongUseError(f"There is no proxy '{self.proxy}'; there are {there}.")
        for fault in faults(proxies):
            if fault.proxy == self.proxy and fault.mark and fault.mark.kind == self.kind:
                raise WrongUseError(
                    f"There is one already: {fault.text}. Wait for its end, or heal it: `chaos heal`."
                )


class Latency(_Marked):
    """Every answer through a proxy comes later."""

    def __init__(self, board: Board, proxy: str, seconds: float) -> None:
        super().__init__(board, proxy, "latency", f"latency {spoken(seconds)} on {proxy}")
        self._milliseconds = round(seconds * 1000)

    async def begin(self, until: float) -> None:
        name = await self.mark(until)
        await self.board.toxiproxy.add_toxic(self.proxy, "latency", name=name, latency=self._milliseconds)


class Outage(_Marked):
    """A proxy refuses connections, and closes those that there are."""

    def __init__(self, board: Board, proxy: str) -> None:
        super().__init__(board, proxy, "outage", f"outage of {proxy}")

    async def begin(self, until: float) -> None:
        await self.board.toxiproxy.add_toxic(self.proxy, "noop", name=await self.mark(until))
        await self.board.toxiproxy.update(self.proxy, enabled=False)


class Freeze(_Marked):
    """The service is stopped (SIGSTOP): it is there, takes connections, and does nothing.

    Its mark stands on a proxy that it has nothing to do with, for there is no other board.
    """

    def __init__(self, board: Board, proxy: str, service: Service) -> None:
        super().__init__(board, proxy, "freeze", "freeze of api")
        self._service = service

    async def begin(self, until: float) -> None:
        await self.board.toxiproxy.add_toxic(self.proxy, "noop", name=await self.mark(until))
        await self._service.signal("STOP")


class Flaky:
    """The next calls to the model fail; it is over once they have."""

    def __init__(self, model: ScriptedModel, count: int) -> None:
        self.text = failing(count)
        self._model = model
        self._count = count

    async def begin(self, until: float) -> None:
        await self._model.fail(self._count, until - time.time())

    async def over(self) -> str | None:
        left = await self._model.left()
        if left is None:
            return healed_by_another(self.text)
        if left:
            return None
        return f"Over: {'the call has' if self._count == 1 else f'{self._count} calls have'} failed, and the model answers again."

    async def end(self) -> None:
        await self._model.heal()


def healed_by_another(text: str) -> str:
    return f"Healed by another command: {text}."
