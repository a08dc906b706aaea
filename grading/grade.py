"""From points to a grade, by the exam's published rules (EXAM.md, scoring)."""

from collections.abc import Sequence
from dataclasses import dataclass

from grading.report import Documentation, ExerciseResult, Grade, Level, Mention

THRESHOLDS: dict[Mention, float] = {"excellence": 90, "distinction": 80, "passed": 60}
CORE_NEEDED = 2
SHARES: dict[Level, float] = {"complete": 1.0, "functional": 0.5, "none": 0.0}


def grade(exercises: Sequence[ExerciseResult], documentation: Documentation) -> Grade:
    """Grade the whole exam: 60 points pass, 80 are a distinction, 90 excellence, with two core exercises complete."""
    total = sum(one.points for one in exercises) + documentation.points
    core = [one for one in exercises if one.core]
    complete = [one.number for one in core if one.level == "complete"]
    reasons = []
    if total < THRESHOLDS["passed"]:
        reasons.append(f"{total:g} points are fewer than {THRESHOLDS['passed']:g}")
    if len(complete) < CORE_NEEDED:
        numbers = ", ".join(str(one.number) for one in core)
        done = ", ".join(map(str, complete)) or "none"
        reasons.append(f"{CORE_NEEDED} of the core exercises {numbers} must be complete, and {done} is")
    mention: Mention = "not passed"
    if not reasons:
        mention = next(name for name, least in THRESHOLDS.items() if total >= least)
    return Grade(total=total, mention=mention, reasons=tuple(reasons))


@dataclass(frozen=True, slots=True)
class Step:
    """Criteria that together lift an exercise to a level, and what that is worth."""

    exercise: ExerciseResult
    level: Level
    missing: tuple[str, ...]
    gain: float


def next_step(exercises: Sequence[ExerciseResult]) -> str | None:
    """Say which criteria raise the score with the least work: the fewest first, then the most points."""
    steps = [step for one in exercises for step in _steps(one)]
    if not steps:
        return None
    best = min(steps, key=lambda step: (len(step.missing), -step.gain))
    return f"{_listed(best.missing)} would make exercise {best.exercise.number} {best.level}: +{best.gain:g} points"


def _steps(exercise: ExerciseResult) -> list[Step]:
    essential = tuple(one.number for one in exercise.criteria if one.essential and one.status != "passed")
    every = tuple(one.number for one in exercise.criteria if one.status != "passed")
    reachable: list[tuple[Level, tuple[str, ...]]] = [("complete", every)]
    if exercise.level == "none":
        reachable.append(("functional", essential))
    return [
        Step(exercise, level, missing, exercise.max_points * SHARES[level] - exercise.points)
        for level, missing in reachable
        if missing and exercise.max_points * SHARES[level] > exercise.points
    ]


def _listed(numbers: Sequence[str]) -> str:
    *first, last = numbers
    return f"{', '.join(first)} and {last}" if first else last
