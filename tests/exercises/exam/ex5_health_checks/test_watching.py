import pytest

from exercises.exam.ex5_health_checks.watching import has_time


@pytest.mark.parametrize(
    ("taken", "slowest", "changes", "expected"),
    [
        (0.0, 0.0, 3, True),
        (15.0, 2.5, 3, True),
        (25.0, 5.0, 3, True),
        (20.0, 10.0, 3, False),
        (15.0, 15.0, 2, False),
    ],
)
def test_there_is_time_for_a_change_if_what_must_follow_has_its_time_too(
    taken: float, slowest: float, changes: int, *, expected: bool
) -> None:
    assert has_time(taken, slowest, changes) is expected
