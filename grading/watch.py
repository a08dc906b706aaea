"""Grades a folder again and again: after each save first what failed, and when all of that passes, the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from grading.report import Report
from grading.saves import Saves
from grading.score import Choose
from lab.assessment import Assessment
from lab.exercise import Exercise

Grade = Callable[[Choose], Awaitable[Report | None]]
"""Grades and shows what is chosen; None where it could not."""


class Screen(Protocol):
    """Where reports are shown, one page for each save."""

    def turn(self, title: str) -> None:
        """Begin a new page."""

    def rest(self) -> None:
        """Say that nothing happens until the next save."""


class Watch:
    """What failed in the last grading of what `choose` returns, and so is graded first in the next."""

    def __init__(self, choose: Choose, grade: Grade, screen: Screen) -> None:
        self._choose = choose
        self._grade = grade
        self._screen = screen
        self._numbers: frozenset[str] = frozenset()
        self._failed: frozenset[str] = frozenset()

    async def run(self, saves: Saves) -> NoReturn:
        """Grade now and after each save, until cancelled. A save while it grades makes it begin again."""
        while True:
            saves.take()
            grading = asyncio.ensure_future(self._round())
            saved = asyncio.ensure_future(saves.wait())
            try:
                await asyncio.wait({grading, saved}, return_when=asyncio.FIRST_COMPLETED)
                if grading.done():
                    await grading
                    self._screen.rest()
                title = await saved
            finally:
                for task in (grading, saved):
                    task.cancel()
                await asyncio.gather(grading, saved, return_exceptions=True)
            self._screen.turn(f"saved: {title}")

    async def _round(self) -> None:
        """Grade what failed, then the rest if that passes now; all of it if nothing did."""
        passing: frozenset[str] = frozenset()
        if self._failed:
            passing = await self._grade_part(self._failed)
            if self._failed or not self._numbers - passing:
                return
            self._screen.turn("what failed passes now; the rest follows")
        await self._grade_part(self._numbers - passing)

    async def _grade_part(self, numbers: frozenset[str]) -> frozenset[str]:
        """Grade these criteria, or all if there are none of them; keep what failed, and return what passed."""
        report = await self._grade(lambda named: self._part(named, numbers))
        if report is None:
            return frozenset()
        criteria = [one for exercise in report.exercises for one in exercise.criteria]
        passing = frozenset(one.number for one in criteria if one.passed)
        self._failed = frozenset(one.number for one in criteria) - passing
        return passing

    def _part(self, named: str | None, numbers: frozenset[str]) -> tuple[Assessment, list[Exercise]]:
        assessment, exercises = self._choose(named)
        self._numbers = frozenset(one.number for exercise in exercises for one in exercise.criteria)
        if not numbers & self._numbers or numbers >= self._numbers:
            return assessment, list(exercises)
        parts = [one.only(numbers) for one in exercises]
        return assessment, [one for one in parts if one.criteria]
