from io import StringIO

from rich.console import Console

from grading.explain import explain
from tests.exam import EXAM


def explained(*numbers: int) -> str:
    stream = StringIO()
    chosen = [one for one in EXAM.exercises if one.number in numbers]
    explain(EXAM, chosen, Console(file=stream, width=200))
    return stream.getvalue()


def test_one_exercise_is_told_with_points_and_essential_criteria() -> None:
    text = explained(3)

    assert "Exercise 3  Request timeouts, limits and circuit breaker  (15 points)" in text
    assert "3.1* a hanging model gives 504 within 30 s" in text
    assert "Total" not in text


def test_the_whole_exam_is_told_with_the_rules_for_the_total() -> None:
    text = explained(*range(1, 7))

    assert "passed from 60, distinction from 80, excellence from 90" in text
    assert "IMPLEMENTATION.md brings at most 5 more" in text
