"""The result of grading one submission, as data. Every output format is a function of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.verdict import Blame, Status

Level = Literal["complete", "functional", "none"]
Mention = Literal["excellence", "distinction", "passed", "not passed"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Moment(Model):
    """A place in a recorded history: event number `event` (from 0) of `experiment`, `t` seconds after it began."""

    experiment: str
    event: int
    t: float
    text: str


class CriterionResult(Model):
    """The verdict on one criterion, with what a student needs to act on it."""

    number: str
    name: str
    title: str
    essential: bool
    status: Status
    expected: str
    actual: str
    blame: Blame | None
    moments: tuple[Moment, ...]
    hint: str


class ExerciseResult(Model):
    """The points of one exercise: all when complete, half when functional, else none."""

    number: int
    title: str
    core: bool
    points: float
    max_points: int
    level: Level
    criteria: tuple[CriterionResult, ...]

    @property
    def judged(self) -> bool:
        """Whether nothing is open for a reason that is not the submission's."""
        return not any(one.status == "not judged" and one.blame != "submission" for one in self.criteria)


class StartFailure(Model):
    """Why the service did not start, told once for all criteria that it fails."""

    experiment: str
    reason: str
    log: tuple[str, ...]


class Documentation(Model):
    """The bonus for IMPLEMENTATION.md, and what it lacks."""

    points: float
    max_points: int
    missing: str


class Grade(Model):
    """What the points of the whole exam come to, and why it is not passed, if so."""

    total: float
    mention: Mention
    reasons: tuple[str, ...]


class Report(Model):
    """One submission's grade with its reasons."""

    submission: str
    commit: str | None
    dirty: bool
    started: str
    seconds: float
    seed: int
    fault_proxy: str
    repeated: tuple[str, ...] = ()
    """The experiments that were run a second time, for the machine had been too busy the first time."""
    start_failure: StartFailure | None
    exercises: tuple[ExerciseResult, ...]
    documentation: Documentation | None = None
    """The bonus and the grade belong to the whole exam: None where only some exercises were graded."""
    grade: Grade | None = None
    next_step: str | None = None
    problem: str | None = None
    """Why the submission could not be run at all, if so."""
    machine_problem: bool = False

    @property
    def points(self) -> float:
        return sum(one.points for one in self.exercises)

    @property
    def max_points(self) -> int:
        return sum(one.max_points for one in self.exercises)

    @property
    def passed(self) -> bool:
        """Whether the exam is passed; with some exercises only, whether all of them are complete."""
        if self.grade:
            return self.grade.mention != "not passed"
        return all(one.level == "complete" for one in self.exercises)

    @property
    def judged(self) -> bool:
        """Whether every verdict that the submission does not owe itself could be given."""
        return not self.machine_problem and all(one.judged for one in self.exercises)
