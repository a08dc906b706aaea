"""What judging an exercise comes to, as data: criteria with their verdicts, points, a grade."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.verdict import Blame, Status

Level = Literal["complete", "functional", "partial", "none"]

NOT_PASSED = "not passed"
"""The mention of whoever has none of the scoring's."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Moment(Model):
    """A place in a recorded history: event number `event` (from 0) of `experiment`, `t` seconds after it began.

    `at` are the seconds since the grading began; None in runs that were kept before there was such a clock.
    """

    experiment: str
    event: int
    t: float
    at: float | None = None
    text: str

    @property
    def place(self) -> str:
        """When and where it was, in words."""
        if self.at is None:
            return f"{self.t:.2f} s in '{self.experiment}', event {self.event}"
        return f"{self.at:.1f} s ({self.t:.2f} s into '{self.experiment}', event {self.event})"


class CriterionResult(Model):
    """The verdict on one criterion, with what a student needs to act on it."""

    number: str
    name: str
    title: str
    essential: bool
    points: float
    status: Status
    expected: str
    actual: str
    tried: str = ""
    blame: Blame | None
    moments: tuple[Moment, ...]
    request: str = ""
    """The failing request as a command with curl; empty if there is none, or none that a history holds."""
    log: tuple[str, ...] = ()
    """What the service logged around the first moment."""
    hint: str

    @property
    def passed(self) -> bool:
        return self.status == "passed"


class ExerciseResult(Model):
    """The points of one exercise, as the assessment's scoring makes them of its criteria."""

    number: int
    title: str
    core: bool
    bonus: bool
    points: float
    max_points: float
    level: Level
    criteria: tuple[CriterionResult, ...]

    @property
    def judged(self) -> bool:
        """Whether nothing is open for a reason that is not the submission's."""
        return not any(one.status == "not judged" and one.blame != "submission" for one in self.criteria)


class Bonus(Model):
    """Points on top of the exercises', and what is missing for all of them."""

    title: str
    points: float
    max_points: float
    missing: str


class Grade(Model):
    """What the points of the whole assessment come to, and why it is not passed, if so."""

    total: float
    mention: str
    reasons: tuple[str, ...]
