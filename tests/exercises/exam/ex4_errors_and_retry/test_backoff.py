import random
from collections.abc import Callable

import pytest

from exercises.exam.ex4_errors_and_retry import backoff
from tests.lab.story import Story

Draw = Callable[[random.Random, float], float]

DESIGNS: dict[str, Draw] = {
    "exact": lambda _, cap: cap,
    "full jitter": lambda source, cap: source.uniform(0, cap),
    "equal jitter": lambda source, cap: cap / 2 + source.uniform(0, cap / 2),
    "added jitter": lambda source, cap: cap + source.uniform(0, 1),
    "proportional jitter": lambda source, cap: cap * source.uniform(0.75, 1.25),
}


def requests(
    draw: Callable[[float], float], *, count: int = 4, retries: int = 3
) -> list[list[backoff.Pause]]:
    told = []
    for _ in range(count):
        story = Story()
        request = story.ask("failing")
        story.call(request, status=500)
        for cap in backoff.CAPS[:retries]:
            story.now += draw(cap)
            story.call(request, status=500)
        told.append(backoff.pauses(story.end(), request.key or ""))
    return told


def test_pauses_run_from_the_end_of_an_attempt_to_the_next() -> None:
    story = Story()
    request = story.ask("failing")
    story.call(request, lasting=2.0, status=500)
    story.now += 1.0
    story.call(request, status=500)

    [pause] = backoff.pauses(story.end(), request.key or "")

    assert pause.seconds == 1.0


@pytest.mark.parametrize("design", DESIGNS)
def test_every_usual_jitter_passes(design: str) -> None:
    source = random.Random(design)

    faults = [backoff.find_fault(requests(lambda cap: DESIGNS[design](source, cap))) for _ in range(500)]

    assert not [fault for fault in faults if fault]


def test_full_jitter_fails_less_than_once_in_ten_thousand_runs() -> None:
    source = random.Random(4)
    call = requests(lambda cap: cap)[0][0].call

    def run() -> list[list[backoff.Pause]]:
        return [
            [backoff.Pause(source.uniform(0, cap), number, call) for number, cap in enumerate(backoff.CAPS)]
            for _ in range(4)
        ]

    assert sum(backoff.find_fault(run()) is not None for _ in range(50_000)) <= 5


@pytest.mark.parametrize("retries", [1, 2])
def test_fewer_retries_pass(retries: int) -> None:
    assert backoff.find_fault(requests(lambda cap: cap, retries=retries)) is None


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_no_backoff_fails(pause: float) -> None:
    fault = backoff.find_fault(requests(lambda _: pause))

    assert fault
    assert "no backoff" in fault.description


@pytest.mark.parametrize("pause", [0.5, 1.0, 2.0])
def test_constant_pauses_fail(pause: float) -> None:
    fault = backoff.find_fault(requests(lambda _: pause))

    assert fault
    assert "do not grow" in fault.description


def test_shrinking_pauses_fail() -> None:
    shrinking = dict(zip(backoff.CAPS, (2.0, 1.0, 0.5), strict=True))

    fault = backoff.find_fault(requests(lambda cap: shrinking[cap]))

    assert fault
    assert "do not grow" in fault.description


def test_long_pauses_fail() -> None:
    fault = backoff.find_fault(requests(lambda cap: 4 * cap))

    assert fault
    assert "pause 1 took 4.0 s" in fault.description
