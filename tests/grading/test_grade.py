import pytest

from grading.grade import grade, next_step
from grading.judge import level_of
from grading.report import CriterionResult, Documentation, ExerciseResult, Level

POINTS = {1: 15, 2: 15, 3: 15, 4: 20, 5: 15, 6: 20}
CORE = {1, 2, 6}
SHARE: dict[Level, float] = {"complete": 1, "functional": 0.5, "none": 0}
NO_BONUS = Documentation(points=0, max_points=5, missing="there is no IMPLEMENTATION.md")


def criterion(number: str, *, passed: bool, essential: bool) -> CriterionResult:
    return CriterionResult(
        number=number,
        name="n",
        title="t",
        essential=essential,
        status="passed" if passed else "failed",
        expected="",
        actual="",
        blame=None if passed else "submission",
        moments=(),
        hint="",
    )


def exercise(
    number: int, level: Level = "complete", criteria: tuple[CriterionResult, ...] = ()
) -> ExerciseResult:
    return ExerciseResult(
        number=number,
        title="t",
        core=number in CORE,
        points=POINTS[number] * SHARE[level],
        max_points=POINTS[number],
        level=level,
        criteria=criteria,
    )


def exam(**levels: Level) -> list[ExerciseResult]:
    return [exercise(number, levels.get(f"ex{number}", "complete")) for number in POINTS]


@pytest.mark.parametrize(
    ("levels", "total", "mention"),
    [
        ({}, 100, "excellence"),
        ({"ex4": "functional"}, 90, "excellence"),
        ({"ex4": "none"}, 80, "distinction"),
        ({"ex4": "none", "ex5": "functional"}, 72.5, "passed"),
        ({"ex4": "none", "ex6": "none"}, 60, "passed"),
        ({"ex4": "none", "ex6": "none", "ex5": "functional"}, 52.5, "not passed"),
    ],
)
def test_thresholds(levels: dict[str, Level], total: float, mention: str) -> None:
    result = grade(exam(**levels), NO_BONUS)

    assert (result.total, result.mention) == (total, mention)


def test_two_core_exercises_must_be_complete_whatever_the_total() -> None:
    result = grade(exam(ex1="functional", ex2="functional"), NO_BONUS)

    assert (result.total, result.mention) == (85, "not passed")
    assert result.reasons == ("2 of the core exercises 1, 2, 6 must be complete, and 6 is",)


def test_the_bonus_counts_towards_a_threshold() -> None:
    bonus = Documentation(points=5, max_points=5, missing="")

    assert grade(exam(ex4="functional", ex3="functional"), bonus).total == 87.5
    assert grade(exam(ex4="functional", ex3="functional"), NO_BONUS).total == 82.5


def test_the_next_step_is_the_one_with_fewest_criteria_then_most_points() -> None:
    nearly = exercise(4, "functional", (criterion("4.5", passed=False, essential=False),))
    far = exercise(
        6,
        "none",
        (criterion("6.1", passed=False, essential=True), criterion("6.2", passed=False, essential=True)),
    )

    assert next_step([nearly, far]) == "4.5 would make exercise 4 complete: +10 points"
    assert next_step([far]) == "6.1 and 6.2 would make exercise 6 complete: +20 points"


def test_an_essential_criterion_alone_can_be_the_next_step() -> None:
    criteria = (
        criterion("3.1", passed=False, essential=True),
        criterion("3.6", passed=False, essential=False),
    )

    assert level_of(criteria) == "none"
    assert next_step([exercise(3, "none", criteria)]) == "3.1 would make exercise 3 functional: +7.5 points"


def test_a_complete_exam_has_no_next_step() -> None:
    assert next_step(exam()) is None
