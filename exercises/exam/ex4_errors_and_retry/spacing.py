"""Spaces the model's failures, so that no circuit breaker takes the failures of unrelated requests for an outage."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from chaos.llm import Step
from chaos.llm.steps import Outcome, Turn

RELIEF_SECONDS = 10.0
"""So long the relief after the last failure is waited for: whatever comes next begins with a model that has answered."""


class Spacing:
    """Lets one failure happen at a time; between two of them `relieve` has that model answer healthy requests.

    A failure that comes meanwhile is held at the model. However a breaker counts, by attempt or by request, in a row
    or as a share, and for each model or for all, many requests that fail at once then are no outage.
    """

    def __init__(self, relieve: Callable[[str], Awaitable[None]]) -> None:
        self._relieve = relieve
        self._free = asyncio.Event()
        self._free.set()
        self._failed: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task
        if kind is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._free.wait(), RELIEF_SECONDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def space(self, step: Step) -> Step:
        """Return a step that waits for its turn to fail as `step` does."""
        return _Spaced(step, self)

    async def fail(self, step: Step, turn: Turn) -> Outcome:
        """Play a failure once no other one waits for its relief."""
        while not self._free.is_set():
            await turn.responder.wait(self._free)
        self._free.clear()
        try:
            return await step.play(turn)
        finally:
            self._failed.put_nowait(turn.chat.model)

    async def _run(self) -> None:
        while True:
            model = await self._failed.get()
            try:
                await self._relieve(model)
            finally:
                self._free.set()


@dataclass(frozen=True, slots=True)
class _Spaced:
    step: Step
    spacing: Spacing

    @property
    def name(self) -> str:
        return self.step.name

    async def play(self, turn: Turn) -> Outcome:
        return await self.spacing.fail(self.step, turn)
