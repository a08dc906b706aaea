"""What is made of a submission's files and of its recorded histories, within bounds that it cannot leave."""

from collections.abc import Collection, Mapping, Sequence

from chaos.contract import StartDefaults
from chaos.history import History
from grading import judge, start
from grading.bounded import FILES_SECONDS, OverBoundsError, bounded, bounded_aside, read_files
from grading.errors import SubmissionError
from grading.report import ControlFailure
from grading.start import StartPlan
from grading.submission import Submission
from lab.assessment import Assessment
from lab.exercise import Criterion, Exercise
from lab.result import Bonus, CriterionResult, ExerciseResult
from lab.scoring import Scoring
from lab.verdict import failed

JUDGE_SECONDS = 60
CRITERION_SECONDS = 15

Judged = tuple[tuple[ExerciseResult, ...], ControlFailure | None]
JudgedSoFar = tuple[tuple[CriterionResult, ...], ControlFailure | None]


def named_assessment(submission: Submission) -> str | None:
    """Return the assessment that a submission names. Raises SubmissionError where that cannot be read."""
    return read_files(lambda: start.named_assessment(submission))


def tree(submission: Submission) -> str:
    """Return the digest of a submission's files. Raises SubmissionError where they cannot be read."""
    return read_files(submission.digest)


def plan(submission: Submission, defaults: StartDefaults, reserved: Collection[str]) -> StartPlan:
    """Return how a submission is installed and started. Raises SubmissionError where that cannot be read."""
    return read_files(lambda: start.plan(submission, defaults, reserved))


def bonus(assessment: Assessment, submission: Submission) -> Bonus | None:
    """Return the bonus of a submission; none where what it is for cannot be read."""
    try:
        return bounded(lambda: assessment.bonus(submission.text), seconds=FILES_SECONDS)
    except (OverBoundsError, SubmissionError):
        return assessment.bonus(lambda _: None)


def results(
    exercises: Sequence[Exercise],
    histories: Mapping[str, History],
    scoring: Scoring,
    judged: Mapping[str, CriterionResult] = judge.NONE_YET,
    *,
    foreign: bool = False,
) -> Judged:
    """Judge exercises, but for the criteria judged before; say why the service did not work, if so.

    `foreign` are the histories of another version of the grader. A criterion whose histories cannot be read within bounds fails: what they hold comes from the submission.
    """
    try:
        return bounded(
            lambda: (
                judge.judge(exercises, histories, scoring, judged, foreign=foreign),
                judge.control_failure(histories),
            ),
            seconds=JUDGE_SECONDS,
        )
    except OverBoundsError:
        left = [one for each in exercises for one in each.criteria if one.number not in judged]
        one_by_one = {one.number: _criterion(one, histories, foreign=foreign) for one in left}
        return judge.judge(exercises, histories, scoring, {**judged, **one_by_one}), None


async def results_so_far(criteria: Sequence[Criterion], histories: Mapping[str, History]) -> JudgedSoFar:
    """Judge criteria while their run goes on, and say why the service does not work, if so.

    Raises OverBoundsError where their histories cannot be read within bounds; `results` tells which of them that is.
    """
    return await bounded_aside(
        lambda: (
            tuple(judge.so_far(one, histories) for one in criteria),
            judge.control_failure(histories),
        ),
        seconds=JUDGE_SECONDS,
    )


def _criterion(criterion: Criterion, histories: Mapping[str, History], *, foreign: bool) -> CriterionResult:
    try:
        return bounded(
            lambda: judge.criterion(criterion, histories, foreign=foreign), seconds=CRITERION_SECONDS
        )
    except OverBoundsError as error:
        verdict = failed("files, answers and log lines that can be read", str(error))
        return judge.result(criterion, verdict, {})
