import pytest

from lab.exercise import Exercise
from lab.result import Bonus, CriterionResult, ExerciseResult, Level
from lab.scoring import Scoring
from tests.exam import EXAM
from tests.results import make_criterion

POINTS = {1: 15, 2: 15, 3: 15, 4: 20, 5: 15, 6: 20}
CORE = {1, 2, 6}
SHARE: dict[Level, float] = {"complete": 1, "functional": 0.5, "none": 0}
RULES = EXAM.scoring
NO_BONUS = Bonus(title="Documentation", points=0, max_points=5, missing="there is no IMPLEMENTATION.md")


def exercise(
    number: int, level: Level = "complete", criteria: tuple[CriterionResult, ...] = ()
) -> ExerciseResult:
    return ExerciseResult(
        number=number,
        title="t",
        core=number in CORE,
        bonus=False,
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
    result = RULES.grade(exam(**levels), NO_BONUS)

    assert (result.total, result.mention) == (total, mention)


def test_two_core_exercises_must_be_complete_whatever_the_total() -> None:
    result = RULES.grade(exam(ex1="functional", ex2="functional"), NO_BONUS)

    assert (result.total, result.mention) == (85, "not passed")
    assert result.reasons == ("2 of the core exercises 1, 2, 6 must be complete, and 6 is",)


def test_the_bonus_counts_towards_a_threshold() -> None:
    bonus = Bonus(title="Documentation", points=5, max_points=5, missing="")

    assert RULES.grade(exam(ex4="functional", ex3="functional"), bonus).total == 87.5
    assert RULES.grade(exam(ex4="functional", ex3="functional"), NO_BONUS).total == 82.5


def test_the_next_step_is_the_one_with_fewest_criteria_then_most_points() -> None:
    nearly = exercise(4, "functional", (make_criterion("4.5", passed=False, essential=False),))
    far = exercise(
        6,
        "none",
        (make_criterion("6.1", passed=False), make_criterion("6.2", passed=False)),
    )

    assert RULES.next_step([nearly, far]) == "4.5 would make exercise 4 complete: +10 points"
    assert RULES.next_step([far]) == "6.1 and 6.2 would make exercise 6 complete: +20 points"


def test_an_essential_criterion_alone_can_be_the_next_step() -> None:
    criteria = (
        make_criterion("3.1", passed=False),
        make_criterion("3.6", passed=False, essential=False),
    )

    assert (
        RULES.next_step([exercise(3, "none", criteria)])
        == "3.1 would make exercise 3 functional: +7.5 points"
    )


def test_a_complete_exam_has_no_next_step() -> None:
    assert RULES.next_step(exam()) is None


def of_points(scheme: str, *passed: bool, bonus: bool = False, points: float = 10) -> ExerciseResult:
    """The result of an exercise whose n-th criterion is worth n points."""
    rules = Scoring.model_validate({"scheme": scheme, "mentions": {"passed": 5}})
    one = Exercise(1, "t", points, core=False, criteria=(), bonus=bonus)
    return rules.result(
        one,
        [
            make_criterion(f"1.{number}", passed=ok, essential=False, points=number)
            for number, ok in enumerate(passed, 1)
        ],
    )


@pytest.mark.parametrize(
    ("passed", "points", "level"),
    [
        ((True, True, True), 6, "complete"),
        ((True, False, True), 4, "partial"),
        ((False, False, False), 0, "none"),
    ],
)
def test_with_points_every_criterion_brings_its_own(
    passed: tuple[bool, ...], points: float, level: Level
) -> None:
    result = of_points("points", *passed, points=6)

    assert (result.points, result.max_points, result.level) == (points, 6, level)


def test_weights_share_an_exercises_points() -> None:
    assert of_points("weights", True, False, True, points=30).points == 20


def test_with_points_the_next_step_is_the_criterion_that_brings_most() -> None:
    rules = Scoring(scheme="points", mentions={"passed": 5})

    assert (
        rules.next_step([of_points("points", True, False, False, points=6)])
        == "1.3 has yet to pass: +3 points"
    )
    assert rules.next_step([of_points("points", True, True, True, points=6)]) is None


def test_a_mention_is_the_highest_that_the_points_reach() -> None:
    rules = Scoring(scheme="points", mentions={"good": 8, "passed": 5})

    assert rules.grade([of_points("points", True, True, True, points=6)]).mention == "passed"
    assert rules.grade([of_points("points", True, True, True, points=9)]).mention == "good"
    assert rules.grade([of_points("points", True, False, False, points=6)]).mention == "not passed"
