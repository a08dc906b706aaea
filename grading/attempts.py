"""Runs a submission's experiments and judges them; what the machine has left open is run a second time."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from chaos.contract import Contract
from chaos.history import History
from grading import judge, reading
from grading.errors import MachineError, SubmissionError
from grading.feed import Feed
from grading.progress import Progress
from grading.report import ControlFailure
from grading.run import Run, run_again, run_all
from grading.runtime import Runtime
from lab.exercise import Exercise
from lab.experiment import Experiment
from lab.result import ExerciseResult
from lab.scoring import Scoring


@dataclass(slots=True)
class Attempts:
    """At most two runs, told to `progress`. With `fail_fast` the first failure ends them.

    `exercises` are then those that were judged, with their judged criteria alone. `elapsed` returns the seconds since
    the grading began.
    """

    contract: Contract
    scoring: Scoring
    exercises: Sequence[Exercise]
    seed: int
    progress: Progress
    elapsed: Callable[[], float]
    fail_fast: bool = False
    fault_proxy: str = "none"
    histories: dict[str, History] = field(default_factory=dict)
    repeated: tuple[Experiment, ...] = ()
    results: tuple[ExerciseResult, ...] = ()
    control_failure: ControlFailure | None = None

    async def run(self, runtime: Callable[[], AbstractAsyncContextManager[Runtime]]) -> None:
        """Run and judge, each time in a new `runtime`.

        Raises SubmissionError or MachineError where there is none for the submission.
        """
        experiments = tuple(dict.fromkeys(one for each in self.exercises for one in each.experiments))
        feed = Feed(self.exercises, self.progress, fail_fast=self.fail_fast)
        async with runtime() as opened:
            self.progress.announce("running the experiments")
            self.fault_proxy = opened.fault_proxy
            self.histories = await feed.follow(run_all(experiments, self._run(opened, feed)), experiments)
            self._judge(feed)
        self.repeated = judge.disturbed(self.exercises, self.results)
        if not self.repeated:
            return
        self.progress.announce("running again what could not be judged")
        # In a new runtime: what failed in the first may be a part of it. Without one, the verdicts of the first stand.
        with contextlib.suppress(MachineError, SubmissionError):
            async with runtime() as opened:
                again = run_again(self.repeated, self._run(opened, feed))
                self.histories |= await feed.follow(again, self.repeated)
        self._judge(feed, is_last=True)

    def _run(self, opened: Runtime, feed: Feed) -> Run:
        return Run(opened, self.contract, self.seed, self.progress.update, feed.finish, self.elapsed)

    def _judge(self, feed: Feed, *, is_last: bool = False) -> None:
        if feed.stops:
            self._leave_out_all_but(feed.told)
        self.results, self.control_failure = reading.results(
            self.exercises, self.histories, self.scoring, feed.judged
        )
        is_final = is_last or not judge.disturbed(self.exercises, self.results)
        stopped = feed.stops
        feed.conclude(self.results, self.control_failure, is_final=is_final)
        if feed.stops and not stopped and not is_final:
            self._judge(feed, is_last=True)

    def _leave_out_all_but(self, numbers: frozenset[str]) -> None:
        """Leave out the criteria that a failure elsewhere has kept from being judged."""
        if numbers >= {one.number for each in self.exercises for one in each.criteria}:
            return
        parts = [each.only(numbers) for each in self.exercises]
        self.exercises = [one for one in parts if one.criteria]
