import tomllib
from pathlib import Path

from exercises.exam import ex2_graceful_shutdown
from exercises.exam.ex2_graceful_shutdown.axes import AT_ONCE, AXES, LENGTHS, MOMENTS
from exercises.exam.ex2_graceful_shutdown.times import DRAIN_SECONDS, HEARD_SECONDS


def test_every_criterion_has_its_axes() -> None:
    folder = Path(next(iter(ex2_graceful_shutdown.__path__)))
    rubric = tomllib.loads((folder / "exercise.toml").read_text(encoding="utf-8"))
    assert list(AXES) == [criterion["name"] for criterion in rubric["criteria"]]


def test_what_is_in_flight_can_be_answered_in_the_time_that_the_page_gives_it() -> None:
    assert set(AT_ONCE) == set(LENGTHS.values)
    assert max(LENGTHS.values.values()) + 1 < DRAIN_SECONDS


def test_new_work_is_asked_for_while_the_signal_has_been_heard_and_requests_are_in_flight() -> None:
    assert min(MOMENTS.values.values()) > HEARD_SECONDS
    assert max(MOMENTS.values.values()) + 1 < max(LENGTHS.values.values())
