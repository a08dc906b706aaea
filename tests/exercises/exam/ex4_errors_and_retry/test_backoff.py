import random
from collections.abc import Callable, Sequence

import pytest

from chaos.history import Call
from exercises.exam.ex4_errors_and_retry import backoff
from tests.lab.story import Story

pytestmark = pytest.mark.medium

Draw = Callable[[random.Random], Sequence[float]]

RETRIES = (3,) * 9 + (2,) * 7 + (1,) * 7
"""How many retries the requests of a run have: some fail once or twice, others for good."""


def scaled(*bounds: float, by: float = 1.0) -> Draw:
    """Return what draws each pause between two shares of its cap."""
    low, high = bounds
    return lambda source: [by * cap * source.uniform(low, high) for cap in backoff.CAPS]


def decorrelated(base: float, cap: float) -> Draw:
    def draw(source: random.Random) -> Sequence[float]:
        drawn = [base]
        for _ in backoff.CAPS:
            drawn.append(min(cap, source.uniform(base, 3 * drawn[-1])))
        return drawn[1:]

    return draw


def between(low: float, high: float) -> Draw:
    """Return what draws every pause alike."""
    return lambda source: [source.uniform(low, high) for _ in backoff.CAPS]


FAIR: dict[str, Draw] = {
    "full jitter": scaled(0, 1),
    "full jitter on a floor": lambda source: [0.1 + source.uniform(0, cap) for cap in backoff.CAPS],
    "equal jitter": scaled(0.5, 1),
    "added jitter": lambda source: [cap + source.uniform(0, 1) for cap in backoff.CAPS],
    "capped added jitter": lambda source: [min(4, cap + source.uniform(0, 0.5)) for cap in backoff.CAPS],
    "proportional jitter": scaled(0.75, 1.25),
    "a tenth of jitter": scaled(0.9, 1.1),
    "decorrelated jitter from 0.5 s": decorrelated(0.5, 4),
}
UNFAIR: dict[str, tuple[Draw, str]] = {
    "none": (scaled(0, 0), "too short"),
    "50 ms": (between(0.05, 0.06), "too short"),
    "0.15, 0.3, 0.6 s": (scaled(1, 1, by=0.15), "too short"),
    "0.5, 1, 2 s": (scaled(1, 1, by=0.5), "too short"),
    "0.5, 1, 2 s with proportional jitter": (scaled(0.75, 1.25, by=0.5), "too short"),
    "0.5, 1, 2 s with full jitter": (scaled(0, 1, by=0.5), "too short"),
    "half of the first pause": (
        lambda source: [0.5 * source.uniform(0.5, 1), source.uniform(1, 2), source.uniform(2, 4)],
        "too short",
    ),
    "2, 4, 8 s": (scaled(0.9, 1.0, by=2), "too long"),
    "5, 10, 20 s": (scaled(1, 1, by=5), "took 5.0 s"),
    "a second each": (between(0.9, 1.1), "do not grow"),
    "two seconds each": (between(1.8, 2.2), "do not grow"),
    "shrinking": (lambda source: [source.uniform(1.8, 2), 1.0, 0.5], "do not grow"),
    "exactly 1, 2, 4 s": (scaled(1, 1), "no jitter"),
}


def drawn(draw: Draw, source: random.Random, *, retries: Sequence[int] = RETRIES) -> list[backoff.Pause]:
    """Return the pauses of one run, each a little longer than drawn."""
    return [
        backoff.Pause(seconds + source.uniform(0, 0.02), number, CALL)
        for count in retries
        for number, seconds in enumerate(draw(source)[:count])
    ]


def _call() -> Call:
    story = Story()
    story.call(story.ask("failing"))
    return story.end().calls()[0].call


CALL = _call()


def test_pauses_run_from_the_end_of_an_attempt_to_the_next() -> None:
    story = Story()
    request = story.ask("failing")
    story.call(request, lasting=2.0, status=500)
    story.now += 1.0
    story.call(request, status=500)

    [pause] = backoff.pauses(story.end(), request.key or "")

    assert pause.seconds == 1.0


@pytest.mark.parametrize("design", FAIR)
def test_every_usual_jitter_passes(design: str) -> None:
    source = random.Random(design)

    faults = [backoff.find_fault(drawn(FAIR[design], source)) for _ in range(500)]

    assert not [fault for fault in faults if fault]


@pytest.mark.parametrize("design", UNFAIR)
def test_every_other_backoff_fails(design: str) -> None:
    draw, description = UNFAIR[design]
    source = random.Random(design)

    faults = [backoff.find_fault(drawn(draw, source)) for _ in range(100)]

    assert all(fault and description in fault.description for fault in faults)


def test_decorrelated_jitter_from_a_second_fails_less_than_once_in_a_thousand_runs() -> None:
    source = random.Random(4)

    runs = [backoff.find_fault(drawn(decorrelated(1, 4), source)) for _ in range(2000)]

    assert sum(fault is not None for fault in runs) <= 2


@pytest.mark.parametrize("retries", [[1] * 5, [2] * 4, [2] * 9 + [1] * 4, [3], [1]])
def test_full_jitter_passes_with_fewer_pauses(retries: list[int]) -> None:
    source = random.Random(4)

    faults = [backoff.find_fault(drawn(FAIR["full jitter"], source, retries=retries)) for _ in range(1000)]

    assert sum(fault is not None for fault in faults) <= 1
