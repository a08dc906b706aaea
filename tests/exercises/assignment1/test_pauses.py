import random

import pytest

from exercises.assignment1.part4_llm_service.pauses import grow, pauses

REQUESTS = 24
LEAST = 0.1


def drawn(source: random.Random, *ranges: tuple[float, float]) -> list[list[float]]:
    return [[source.uniform(*one) for one in ranges] for _ in range(REQUESTS)]


def test_pauses_are_what_lies_between_calls() -> None:
    assert pauses([5.0, 1.0, 2.0]) == [1.0, 3.0]


@pytest.mark.parametrize(
    "ranges",
    [
        [(0.5, 0.5), (1.0, 1.0)],
        [(0.375, 0.5), (0.75, 1.0)],
        [(0.5, 0.75), (1.0, 1.5), (2.0, 2.5)],
        [(0.2, 0.3), (0.4, 0.6)],
    ],
)
def test_growing_pauses_grow(ranges: list[tuple[float, float]]) -> None:
    assert grow(drawn(random.Random(1), *ranges), LEAST) == ""


def test_full_jitter_is_rarely_taken_for_no_growth() -> None:
    source = random.Random(2)
    wrong = sum(bool(grow(drawn(source, (0, 1), (0, 2)), LEAST)) for _ in range(4000))

    assert wrong < 10


@pytest.mark.parametrize(
    ("ranges", "word"),
    [
        ([(1.0, 1.0), (1.0, 1.0)], "pause 2"),
        ([(1.0, 1.0), (0.5, 0.5)], "pause 2"),
        ([(0.5, 0.5), (1.0, 1.0), (1.0, 1.0)], "pause 3"),
        ([(0.001, 0.01), (0.5, 0.5)], "first pause"),
    ],
)
def test_pauses_that_do_not_grow(ranges: list[tuple[float, float]], word: str) -> None:
    assert word in grow(drawn(random.Random(3), *ranges), LEAST)


def test_no_pauses_at_all() -> None:
    assert grow([[], []], LEAST) == "there were no pauses"
