"""How verdicts become points, and points a grade. An assessment's assessment.toml says which way.

- `levels`: an exercise brings all its points when every criterion passes, a share when every essential one does;
- `points`: every criterion that passes brings its own points;
- `weights`: an exercise's points are shared among its criteria by their weights, which stand under `points`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.exercise import Exercise
from lab.result import NOT_PASSED, Bonus, CriterionResult, ExerciseResult, Grade, Level

Scheme = Literal["levels", "points", "weights"]


@dataclass(frozen=True, slots=True)
class Step:
    """Criteria that together raise the score, what they bring, and a sentence that says so."""

    missing: tuple[str, ...]
    gain: float
    text: str


class Scoring(BaseModel):
    """The rules of one assessment.

    `functional` is the share of an exercise's points for its essential criteria (levels only). `mentions` are grades by
    the points that they take; to have one at all, `core_complete` of the core exercises have to be complete.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Scheme
    functional: float = 0.0
    core_complete: int = 0
    mentions: dict[str, float]

    def result(self, exercise: Exercise, criteria: Sequence[CriterionResult]) -> ExerciseResult:
        """Return the points of an exercise whose criteria have been judged."""
        level = self._level(criteria)
        if self.scheme == "levels":
            points = exercise.points * self._shares[level]
        else:
            whole = sum(one.points for one in criteria)
            passed = sum(one.points for one in criteria if one.passed)
            points = exercise.points * passed / whole if whole else 0.0
        return ExerciseResult(
            number=exercise.number,
            title=exercise.title,
            core=exercise.core,
            bonus=exercise.bonus,
            points=round(points, 2),
            max_points=exercise.points,
            level=level,
            criteria=tuple(criteria),
        )

    def grade(self, exercises: Sequence[ExerciseResult], bonus: Bonus | None = None) -> Grade:
        """Grade the whole assessment: the highest mention that the points reach, if nothing stands against it."""
        total = round(sum(one.points for one in exercises) + (bonus.points if bonus else 0), 2)
        core = [one for one in exercises if one.core]
        complete = [one.number for one in core if one.level == "complete"]
        least = min(self.mentions.values())
        reasons = []
        if total < least:
            reasons.append(f"{total:g} points are fewer than {least:g}")
        if len(complete) < self.core_complete:
            numbers = ", ".join(str(one.number) for one in core)
            done = ", ".join(map(str, complete)) or "none"
            reasons.append(
                f"{self.core_complete} of the core exercises {numbers} must be complete, and {done} is"
            )
        reached = {name: points for name, points in self.mentions.items() if total >= points}
        mention = NOT_PASSED if reasons else max(reached, key=lambda name: reached[name])
        return Grade(total=total, mention=mention, reasons=tuple(reasons))

    def next_step(self, exercises: Sequence[ExerciseResult]) -> str | None:
        """Say which criteria raise the score with the least work: the fewest first, then the most points."""
        of_one: Callable[[ExerciseResult], list[Step]] = (
            self._levels_above if self.scheme == "levels" else _open_criteria
        )
        steps = [step for one in exercises for step in of_one(one)]
        best = min(steps, key=lambda step: (len(step.missing), -step.gain), default=None)
        return f"{best.text}: +{best.gain:g} points" if best else None

    @property
    def rules(self) -> str:
        """The rules in sentences, for people."""
        return {
            "levels": "An exercise is complete (all points) when every criterion passes, functional "
            f"({self.functional:.0%} of them) when every essential one (*) does, otherwise worth nothing.",
            "points": "Every criterion that passes brings its points.",
            "weights": "An exercise's points are shared among its criteria by their weights.",
        }[self.scheme]

    @property
    def _shares(self) -> dict[Level, float]:
        return {"complete": 1.0, "functional": self.functional, "partial": 0.0, "none": 0.0}

    def _level(self, criteria: Sequence[CriterionResult]) -> Level:
        if all(one.passed for one in criteria):
            return "complete"
        if self.scheme != "levels":
            return "partial" if any(one.passed for one in criteria) else "none"
        return "functional" if all(one.passed for one in criteria if one.essential) else "none"

    def _levels_above(self, exercise: ExerciseResult) -> list[Step]:
        essential = tuple(one.number for one in exercise.criteria if one.essential and not one.passed)
        every = tuple(one.number for one in exercise.criteria if not one.passed)
        reachable: list[tuple[Level, tuple[str, ...]]] = [("complete", every)]
        if exercise.level == "none":
            reachable.append(("functional", essential))
        return [
            Step(missing, gain, f"{_listed(missing)} would make exercise {exercise.number} {level}")
            for level, missing in reachable
            if missing and (gain := exercise.max_points * self._shares[level] - exercise.points) > 0
        ]


def _open_criteria(exercise: ExerciseResult) -> list[Step]:
    whole = sum(one.points for one in exercise.criteria)
    return [
        Step(
            (one.number,), round(exercise.max_points * one.points / whole, 2), f"{one.number} has yet to pass"
        )
        for one in exercise.criteria
        if not one.passed and one.points
    ]


def _listed(numbers: Sequence[str]) -> str:
    *first, last = numbers
    return f"{', '.join(first)} and {last}" if first else last
