"""The result of grading one submission, as data. Every output format is a function of it."""

from datetime import datetime

from pydantic import field_validator

from grading.runtime import RuntimeName
from lab.result import NOT_PASSED, Bonus, CriterionResult, ExerciseResult, Grade, Model
from lab.scoring import Scheme


class ControlFailure(Model):
    """Why the service could not be put to the test, told once for all criteria that it leaves open or fails.

    `answer` is what it answered with nothing broken; empty for one that did not start.
    """

    experiment: str
    reason: str
    started: bool
    answer: str
    log: tuple[str, ...]

    def explains(self, criterion: CriterionResult) -> bool:
        """Whether a criterion says nothing that this does not say."""
        return not criterion.passed and criterion.actual.startswith(self.reason[:80])


class Integrity(Model):
    """What tells whether the results of a run are as they were written (see grading.integrity).

    `histories` are the SHA-256 digests of the histories' files by experiment. `signature` is None without a key.
    """

    histories: dict[str, str]
    digest: str
    signature: str | None


class Changes(Model):
    """The criteria that were judged otherwise before, by what they are now. `since` is when the last run began."""

    since: str
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What has changed, in words."""
        since = f"since the last run ({datetime.fromisoformat(self.since):%Y-%m-%d %H:%M} UTC)"
        named = [("passed", self.passed), ("failed", self.failed), ("not judged", self.open)]
        found = [f"{', '.join(numbers)} now {status}" for status, numbers in named if numbers]
        return f"Changed {since}: {'; '.join(found)}." if found else f"Nothing has changed {since}."


class Report(Model):
    """One submission's grade with its reasons.

    `tree` is a digest of the submission's files, `contract` one of the contract that it was given.
    """

    submission: str
    source: str = ""
    """A digest of the folder or address that it was taken from: others of the same name are other submissions."""
    assessment: str
    scheme: Scheme
    commit: str | None
    dirty: bool
    tree: str = ""
    grader: str = ""
    contract: str = ""
    started: str
    seconds: float
    seed: int
    runtime: RuntimeName = RuntimeName.PROCESS
    """What the service ran in."""
    runtime_note: str = ""
    """What that means for the grade, if anything."""
    fault_proxy: str
    repeated: tuple[str, ...] = ()
    """The experiments that were run a second time, because the first left something open."""
    left: tuple[str, ...] = ()
    """Command lines of what the services left running and the grader ended."""
    control_failure: ControlFailure | None
    exercises: tuple[ExerciseResult, ...]
    only: tuple[str, ...] = ()
    """The numbers of the criteria that were graded, which then bring no points; empty where whole exercises were."""
    notes: tuple[str, ...] = ()
    """What is to be known of how these criteria came to be judged, in sentences."""
    changes: Changes | None = None
    """None where no earlier run was kept beside this one."""
    bonus: Bonus | None = None
    """The bonus and the grade belong to the whole assessment: None where only some exercises were graded."""
    grade: Grade | None = None
    next_step: str | None = None
    problem: str | None = None
    """Why the submission could not be run at all, if so."""
    machine_problem: bool = False
    integrity: Integrity | None = None
    """Set by `results.save`: None for a run that was not kept."""

    @field_validator("started")
    @classmethod
    def _is_a_time(cls, started: str) -> str:
        datetime.fromisoformat(started)
        return started

    def untried(self, criterion: CriterionResult) -> bool:
        """Whether a criterion says nothing that has not been told of the service as a whole."""
        return self.control_failure is not None and self.control_failure.explains(criterion)

    @property
    def points(self) -> float:
        """The points of all exercises, to the cent, as each of them has them."""
        return round(sum(one.points for one in self.exercises), 2)

    @property
    def total(self) -> float:
        """The points with the bonus, where the whole assessment was graded."""
        return self.grade.total if self.grade else self.points

    @property
    def max_points(self) -> float:
        """The points of all exercises but those that are a bonus."""
        return sum(one.max_points for one in self.exercises if not one.bonus)

    @property
    def tally(self) -> str:
        """How many criteria passed, in words: what stands for the points where there are none."""
        criteria = [one for exercise in self.exercises for one in exercise.criteria]
        return f"{sum(one.passed for one in criteria)} of {len(criteria)} criteria passed, for no points"

    @property
    def passed(self) -> bool:
        """Whether the assessment is passed; with parts of it only, whether all of them are complete."""
        if self.grade:
            return self.grade.mention != NOT_PASSED
        return all(one.level == "complete" for one in self.exercises)

    @property
    def judged(self) -> bool:
        """Whether every verdict that the submission does not owe itself could be given."""
        return not self.machine_problem and all(one.judged for one in self.exercises)
