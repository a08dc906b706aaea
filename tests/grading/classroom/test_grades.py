from datetime import timedelta

import pytest

from grading.classroom.grades import Grade, describe
from grading.classroom.roster import LateRule
from tests.grading.classroom.samples import MENTIONS, make_grade, make_student

RULE = LateRule(points_per_day=15, cap=40)


def test_lateness_costs_points_and_the_mention() -> None:
    grade = make_grade("Ada", 85, late=timedelta(hours=30), rule=RULE)

    assert (grade.raw, grade.penalty, grade.points) == (85, 30, 55)
    assert grade.mention == "not passed"
    assert grade.remarks == "1 d 6 h late: -30 points"


def test_a_penalty_may_leave_a_lower_mention() -> None:
    assert make_grade("Ada", 95, late=timedelta(hours=1), rule=RULE).mention == "distinction"
    assert make_grade("Ada", 90, late=timedelta(hours=1), rule=RULE).mention == "passed"


def test_there_are_never_fewer_than_no_points() -> None:
    grade = make_grade("Ada", 7, late=timedelta(days=9), rule=RULE)

    assert (grade.penalty, grade.points) == (7, 0)


@pytest.mark.parametrize("late", [None, timedelta(hours=-1), timedelta(0)])
def test_what_is_in_time_loses_nothing(late: timedelta | None) -> None:
    grade = make_grade("Ada", 85, late=late, rule=RULE)

    assert (grade.points, grade.mention, grade.remarks) == (85, "distinction", "")


NAMED = "22 d 0 h after the deadline, and counts because the roster names it"


@pytest.mark.parametrize(
    ("rule", "remarks"),
    [
        (None, f"committed {NAMED}"),
        (RULE.model_copy(update={"days": 7}), f"22 d 0 h late: -40 points; committed {NAMED}"),
        (RULE.model_copy(update={"days": 30}), "22 d 0 h late: -40 points"),
        (RULE, "22 d 0 h late: -40 points"),
    ],
)
def test_a_late_commit_that_the_roster_names_is_told(rule: LateRule | None, remarks: str) -> None:
    grade = make_grade("Ada", 85, late=timedelta(days=22), rule=rule, commit="v1.0")

    assert grade.remarks == remarks


def test_what_was_not_graded_has_no_points() -> None:
    grade = make_grade("Ada", None, late=timedelta(days=1), rule=RULE, reason="there is no folder")

    assert (grade.points, grade.penalty, grade.mention) == (None, 0, None)
    assert Grade(make_student("Ada"), None, RULE, MENTIONS).remarks == "not graded yet"


@pytest.mark.parametrize(
    ("late", "words"),
    [({"seconds": 3}, "1 min"), ({"minutes": 125}, "2 h 5 min"), ({"days": 2, "hours": 3}, "2 d 3 h")],
)
def test_a_duration_in_words(late: dict[str, int], words: str) -> None:
    assert describe(timedelta(**late)) == words
