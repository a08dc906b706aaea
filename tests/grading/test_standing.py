"""How far a run has come, on a clock that the test sets."""

import pytest

from grading.standing import LEAST_SECONDS, START_SECONDS, Standing
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.lab import Lab
from lab.verdict import passed


async def _nothing(lab: Lab) -> None:
    """Do nothing."""


FILES = Experiment("files", _nothing, seconds=1, needs="nothing")
SHORT = Experiment("short", _nothing, seconds=10)
LONG = Experiment("long", _nothing, seconds=30)


def exercise(number: int, *experiments: Experiment) -> Exercise:
    criteria = tuple(
        Criterion(f"{number}.{place}", one.name, one.name, "", False, lambda: passed(""), (one,))
        for place, one in enumerate(experiments, start=1)
    )
    return Exercise(number, f"Exercise {number}", 10, core=False, criteria=criteria)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standing(clock: Clock) -> Standing:
    standing = Standing(clock)
    standing.begin([exercise(1, FILES, SHORT), exercise(2, LONG)])
    for one in (FILES, LONG, SHORT):
        standing.update(one, "waiting")
    return standing


def test_what_is_left_is_known_with_the_experiments_and_nothing_after_them(clock: Clock) -> None:
    standing = Standing(clock)
    assert standing.seconds_left is None

    standing.update(LONG, "waiting")
    standing.update(LONG, "done")

    assert standing.seconds_left == 0


def test_what_waits_takes_a_start_and_its_own_time(standing: Standing) -> None:
    assert standing.seconds_left == START_SECONDS + LONG.seconds


def test_what_runs_takes_the_rest_of_its_time(standing: Standing, clock: Clock) -> None:
    standing.update(LONG, "starting")
    clock.now += 4
    standing.update(LONG, "running")
    clock.now += 6

    assert standing.seconds_left == LONG.seconds - 6
    # The start of the first says how long that of the next takes.
    assert standing.exercises[0].seconds_left == SHORT.seconds + 4


def test_what_takes_longer_than_it_said_is_nearly_done(standing: Standing, clock: Clock) -> None:
    for one in (FILES, SHORT):
        standing.update(one, "done")
    standing.update(LONG, "running")
    clock.now += 100

    assert standing.seconds_left == LEAST_SECONDS


def test_criteria_are_counted_by_exercise_and_once(standing: Standing) -> None:
    standing.tell("1.1", "failed")
    standing.tell("1.1", "passed")
    standing.tell("2.1", "failed")

    first, second = standing.exercises
    assert (standing.judged, standing.criteria) == (2, 3)
    assert (first.statuses, second.statuses) == (("passed",), ("failed",))


def test_an_experiment_counts_for_its_exercise(standing: Standing) -> None:
    standing.update(FILES, "done")
    standing.update(SHORT, "starting")

    first = standing.exercise_of(SHORT)

    assert first
    assert (first.exercise.number, first.experiments_done, first.experiments, first.is_running) == (
        1,
        1,
        2,
        True,
    )
    assert standing.exercise_of(Experiment("other", _nothing, seconds=1)) is None
