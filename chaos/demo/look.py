"""One look at a stack: what its service does, and which faults it has."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from chaos.contract import Contract
from chaos.demo import health, metrics
from chaos.demo.board import Board
from chaos.demo.errors import NotThereError
from chaos.demo.health import Health
from chaos.demo.metrics import Window
from chaos.demo.model import ScriptedModel, failing
from chaos.toxiproxy import ToxiproxyError

PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """A stack as it was found. `rates` are answers a second by status; `p50` and `p95` are seconds.

    `health` and `faults` are None where nobody answers.
    """

    at: datetime
    rates: Mapping[str, float]
    p50: float | None
    p95: float | None
    health: Health | None
    faults: tuple[str, ...] | None


class Observer:
    """Looks at a stack again and again."""

    def __init__(
        self, http: httpx.AsyncClient, board: Board, model: ScriptedModel, contract: Contract
    ) -> None:
        self._contract = contract
        self._http = http
        self._board = board
        self._model = model
        self._window = Window()

    async def look(self) -> Look:
        """Ask everybody at once, each for PATIENCE seconds at most; heals what is overdue."""
        _, report, faults = await asyncio.gather(self._measure(), self._health(), self._faults())
        return Look(
            at=datetime.now().astimezone(),
            rates=self._window.rates(),
            p50=self._window.quantile(0.5),
            p95=self._window.quantile(0.95),
            health=report,
            faults=faults,
        )

    async def _measure(self) -> None:
        try:
            answer = await self._http.get(self._contract.endpoints["metrics"], timeout=PATIENCE)
            text = answer.raise_for_status().text
            own = (self._contract.endpoints["alive"], self._contract.endpoints["metrics"])
            self._window.add(metrics.parse(text, time.monotonic(), without=own))
        except (httpx.HTTPError, ValueError):
            self._window = Window()  # what was before is not what is now

    async def _health(self) -> Health | None:
        try:
            return health.parse(
                (await self._http.get(self._contract.endpoints["readiness"], timeout=PATIENCE)).text
            )
        except httpx.HTTPError:
            return None

    async def _faults(self) -> tuple[str, ...] | None:
        try:
            await self._board.heal_overdue()
            return tuple(await describe(self._board, self._model))
        except (ToxiproxyError, NotThereError, ValueError):
            return None


async def describe(board: Board, model: ScriptedModel) -> list[str]:
    """Every fault of a stack in words; raises ToxiproxyError where its proxies cannot be asked."""
    now = time.time()
    found = [fault.describe(now) for fault in await board.faults()]
    left = None
    # Not every stack's model is a scripted one, or can be reached from here.
    with contextlib.suppress(NotThereError):
        left = await model.left()
    return [*found, failing(left)] if left else found
