"""How far a run has come: criteria judged, experiments done, and about how long it still takes."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from grading.run import State
from grading.starts import AT_ONCE
from lab.exercise import Exercise
from lab.experiment import Experiment
from lab.verdict import Status

START_SECONDS: Final = 2.0
"""About how long a service takes to start, until the first of a run has shown it."""
LEAST_SECONDS: Final = 1.0
"""For an experiment that has taken longer than it said."""
_ENDED: Final = {"done", "broken"}


@dataclass(frozen=True, slots=True)
class ExerciseStanding:
    """How far one exercise has come."""

    exercise: Exercise
    statuses: tuple[Status, ...]
    """Of the criteria that have been judged."""
    experiments_done: int
    is_running: bool
    seconds_left: float

    @property
    def criteria(self) -> int:
        return len(self.exercise.criteria)

    @property
    def experiments(self) -> int:
        return len(self.exercise.experiments)


class Standing:
    """Counts what a run tells of itself. Its clock starts with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._exercises: Sequence[Exercise] = ()
        self._states: dict[str, tuple[Experiment, State, float]] = {}
        self._starts: list[float] = []
        self._statuses: dict[str, Status] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._start

    def begin(self, exercises: Sequence[Exercise]) -> None:
        """Note what will be judged."""
        self._exercises = exercises

    def update(self, experiment: Experiment, state: State) -> None:
        """Note what an experiment does from now on."""
        now = self.elapsed
        before = self._states.get(experiment.name)
        if state == "running" and before and before[1] == "starting":
            self._starts.append(now - before[2])
        self._states[experiment.name] = (experiment, state, now)

    def tell(self, number: str, status: Status) -> None:
        """Note the verdict on a criterion."""
        self._statuses[number] = status

    @property
    def judged(self) -> int:
        """The number of criteria that have been judged."""
        return len(self._statuses)

    @property
    def criteria(self) -> int:
        """The number of all criteria."""
        return sum(len(one.criteria) for one in self._exercises)

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds the experiments still take; None before they are known."""
        return self._left(self._states) if self._states else None

    @property
    def exercises(self) -> list[ExerciseStanding]:
        """How far each exercise has come."""
        return [self._of(one) for one in self._exercises]

    def exercise_of(self, experiment: Experiment) -> ExerciseStanding | None:
        """Return how far the first exercise has come that reads an experiment."""
        return next((self._of(one) for one in self._exercises if experiment in one.experiments), None)

    def _of(self, exercise: Exercise) -> ExerciseStanding:
        names = [one.name for one in exercise.experiments]
        states = [self._states[name][1] for name in names if name in self._states]
        return ExerciseStanding(
            exercise,
            tuple(self._statuses[one.number] for one in exercise.criteria if one.number in self._statuses),
            experiments_done=sum(state in _ENDED for state in states),
            is_running=bool({"starting", "running"} & set(states)),
            seconds_left=self._left(names),
        )

    def _left(self, names: Collection[str]) -> float:
        """Return when the last of these experiments ends, if waits overlap and starts queue for the processors."""
        now = self.elapsed
        start = sum(self._starts) / len(self._starts) if self._starts else START_SECONDS
        before = 0
        ends = [0.0]
        for name, (experiment, state, since) in self._states.items():
            if state in _ENDED:
                continue
            if state == "running":
                end = max(LEAST_SECONDS, experiment.seconds - (now - since))
            else:
                queued = (before // AT_ONCE + 1) * start if experiment.needs != "nothing" else 0.0
                before += experiment.needs != "nothing"
                end = queued + experiment.seconds
            if name in names:
                ends.append(end)
        return max(ends)
