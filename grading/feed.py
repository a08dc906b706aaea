"""Judges criteria while their run goes on, so that a verdict is told as soon as its experiments are done.

A verdict holds as long as its experiments are not run again; what is left open is judged at the end.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from chaos.history import History
from grading import judge, reading
from grading.bounded import OverBoundsError
from grading.progress import Progress
from grading.report import ControlFailure
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.result import CriterionResult, ExerciseResult
from lab.verdict import Status


class Feed:
    """Tells a run's verdicts to `progress`; with `fail_fast`, the first failure ends the run."""

    def __init__(self, exercises: Sequence[Exercise], progress: Progress, *, fail_fast: bool = False) -> None:
        self._criteria = [criterion for exercise in exercises for criterion in exercise.criteria]
        self._progress = progress
        self._fail_fast = fail_fast
        self._is_wanted = fail_fast or progress.shows_verdicts
        self._histories: dict[str, History] = {}
        self._awaited: set[str] = set()
        self._open: dict[str, Criterion] = {}
        self._judged: dict[str, CriterionResult] = {}
        self._told: dict[str, Status] = {}
        self._postponed: set[str] = set()
        self._explained = False
        self._changed = asyncio.Event()

    @property
    def judged(self) -> Mapping[str, CriterionResult]:
        """The criteria, by number, whose verdicts hold for the histories taken so far."""
        return self._judged

    @property
    def told(self) -> frozenset[str]:
        """The numbers of the criteria whose verdicts have been told."""
        return frozenset(self._told)

    @property
    def stops(self) -> bool:
        """Whether nothing is to be run any more, for a criterion has failed."""
        return self._fail_fast and "failed" in self._told.values()

    def finish(self, experiment: Experiment, history: History) -> None:
        """Take the history of an experiment that has ended."""
        self._histories[experiment.name] = history
        self._awaited.discard(experiment.name)
        self._changed.set()

    async def follow(
        self, run: Coroutine[Any, Any, dict[str, History]], experiments: Iterable[Experiment]
    ) -> dict[str, History]:
        """Return the histories of a run of these experiments, whose verdicts are told meanwhile.

        They are those that ended before, where a failure has ended it.
        """
        self._expect({one.name for one in experiments})
        running = asyncio.ensure_future(run)
        telling = asyncio.ensure_future(self._tell_verdicts())
        try:
            await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            telling.cancel()
            ran, told = await asyncio.gather(running, telling, return_exceptions=True)
        for outcome in (ran, told):
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome
        return ran if isinstance(ran, dict) else dict(self._histories)

    def conclude(
        self, results: Iterable[ExerciseResult], failure: ControlFailure | None, *, is_final: bool
    ) -> None:
        """Tell what the judging of a whole run has found beside, or other than, what was told."""
        judged = [one for exercise in results for one in exercise.criteria]
        self._tell(judged, failure)
        if is_final:
            for one in judged:
                if one.number not in self._told:
                    self._told[one.number] = one.status
                    self._progress.tell(one)

    def _expect(self, names: set[str]) -> None:
        self._awaited = names
        self._open = {
            one.number: one
            for one in self._criteria
            if one.reads_run or any(needed.name in names for needed in one.experiments)
        }
        self._judged = {number: one for number, one in self._judged.items() if number not in self._open}

    async def _tell_verdicts(self) -> None:
        """Judge what can be judged whenever an experiment has ended; return only if that is to end the run."""
        while not self.stops:
            await self._changed.wait()
            self._changed.clear()
            if not self._is_wanted:
                continue
            ready = [
                one for one in self._open.values() if judge.is_ready(one, self._histories, self._awaited)
            ]
            if not ready:
                continue
            for one in ready:
                del self._open[one.number]
            try:
                results, failure = await reading.results_so_far(ready, dict(self._histories))
            except (OverBoundsError, OSError):
                continue  # they are judged one by one at the end
            self._tell(results, failure)

    def _tell(self, results: Iterable[CriterionResult], failure: ControlFailure | None) -> None:
        """Tell verdicts, and of those that may still be judged that they are put off."""
        for one in results:
            if one.status == "not judged" and one.blame != "submission":
                if one.number not in self._postponed:
                    self._postponed.add(one.number)
                    self._progress.postpone(one)
                continue
            self._judged[one.number] = one
            if self._told.get(one.number) == one.status:
                continue
            self._told[one.number] = one.status
            if failure is None or not failure.explains(one):
                self._progress.tell(one)
                continue
            if not self._explained:
                self._explained = True
                self._progress.explain(failure)
            self._progress.tell_untried(one)
