"""Grades one submission: from where it is to a report and the histories behind it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.history import Cleared, History
from chaos.plain_text import plain
from grading import judge, reading
from grading.attempts import Attempts
from grading.errors import (
    GradingError,
    MachineError,
    NothingToStartError,
    SubmissionError,
    UsageError,
    without_credentials,
)
from grading.progress import Progress
from grading.report import Report
from grading.run import make_clock
from grading.runtimes import ChosenRuntime
from grading.submission import Submission, fetch, source
from grading.version import grader_version
from grading.workspace import Workspace
from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.reading import excerpt
from lab.scoring import Scoring
from lab.verdict import Verdict, not_judged

LEFT = 5
"""Programs that a service left running, of which a report tells."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A report with the histories that it was judged on, by experiment."""

    report: Report
    histories: dict[str, History]


Choose = Callable[[str | None], tuple[Assessment, Sequence[Exercise]]]
"""Returns the assessment, and the exercises of it, for a submission that names this one in its own files, or none.

Raises UsageError where there is no such assessment or exercise.
"""


async def score(
    spec: str,
    choose: Choose,
    *,
    seed: int,
    workspace: Workspace,
    progress: Progress,
    runtime: ChosenRuntime,
    fail_fast: bool = False,
    fetched: Callable[[Submission], None] = lambda _: None,
) -> Graded:
    """Grade the submission at `spec` (a path or a git URL) in the exercises that `choose` returns for it.

    With `fail_fast` the first failure ends it, and the report has the criteria that were judged by then. `fetched` is
    called with its files before anything of them is run.
    What is the submission's fault ends in a report; raises UsageError where there is no submission at `spec`, and
    NothingToStartError where it is no service.
    """
    grader = grader_version()  # before anything of a submission's could change it
    started = datetime.now(UTC)
    elapsed = make_clock()
    progress.announce(f"fetching {spec}")
    refused: SubmissionError | None = None
    named = None
    tree = ""
    try:
        submission = await fetch(spec, workspace)
        fetched(submission)
        named = reading.named_assessment(submission)
        tree = reading.tree(submission)
    except SubmissionError as error:
        refused = error
        submission = Submission(spec, Path(spec).name, workspace.folder("nothing"))
    where = source(spec)
    assessment, exercises = choose(named)
    contract, scoring = assessment.contract, assessment.scoring
    progress.begin(exercises)
    attempts = Attempts(contract, scoring, exercises, seed, progress, elapsed, fail_fast)
    problem = ""
    machine = False
    try:
        if refused:
            raise refused
        plan = reading.plan(submission, contract.start, contract.names)
        await attempts.run(
            lambda: runtime.open(submission, plan, workspace, seed=seed, announce=progress.announce)
        )
        results = attempts.results
    except NothingToStartError:
        raise
    except SubmissionError as error:
        problem = _describe(error)
        results = judge.fail_all(attempts.exercises, judge.unrunnable(str(error)), scoring)
    except MachineError as error:
        problem, machine = _describe(error), True
        results = judge.fail_all(attempts.exercises, not_judged(str(error), blame="machine"), scoring)
    report = Report(
        submission=plain(submission.name),
        source=where,
        assessment=assessment.name,
        scheme=scoring.scheme,
        commit=submission.commit,
        dirty=submission.dirty,
        tree=tree,
        grader=grader,
        contract=hashlib.sha256(contract.model_dump_json().encode()).hexdigest(),
        started=started.isoformat(timespec="seconds"),
        seconds=round(elapsed(), 1),
        seed=seed,
        runtime=runtime.name,
        runtime_note=runtime.note,
        fault_proxy=attempts.fault_proxy,
        repeated=tuple(sorted(one.name for one in attempts.repeated)),
        control_failure=attempts.control_failure,
        left=_left(attempts.histories),
        exercises=results,
        only=_only(attempts.exercises, assessment),
        notes=_notes(exercises, attempts.exercises, assessment),
        bonus=reading.bonus(assessment, submission) if _is_whole(attempts.exercises, assessment) else None,
        problem=problem or None,
        machine_problem=machine,
    )
    return Graded(concluded(report, assessment), attempts.histories)


def not_graded(
    spec: str, error: GradingError, choose: Choose, *, seed: int, runtime: ChosenRuntime
) -> Report | None:
    """Return the report on what could not be graded, so that it has a line among the others.

    No verdict in it is a failure, unless there was nothing to start. None where it is the choice of assessment or
    exercises that is wrong.
    """
    try:
        assessment, exercises = choose(None)
    except UsageError:
        return None
    report = Report(
        submission=plain(without_credentials(spec)),
        assessment=assessment.name,
        scheme=assessment.scoring.scheme,
        commit=None,
        dirty=False,
        grader=grader_version(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        seed=seed,
        runtime=runtime.name,
        runtime_note=runtime.note,
        fault_proxy="none",
        control_failure=None,
        exercises=judge.fail_all(exercises, _verdict(error), assessment.scoring),
        only=_only(exercises, assessment),
        problem=f"{error.message}\n{error.detail}".strip(),
        machine_problem=isinstance(error, MachineError),
    )
    return concluded(report, assessment) if report.judged else report


def _verdict(error: GradingError) -> Verdict:
    """Return the verdict on every criterion of what could not be graded."""
    if isinstance(error, NothingToStartError):
        return judge.unrunnable(error.message)
    return not_judged(error.message, blame="machine" if isinstance(error, MachineError) else "harness")


def rescored(report: Report, histories: Mapping[str, History], assessment: Assessment) -> Report:
    """Judge the recorded histories of a run again, in the exercises that it was graded in."""
    graded = {one.number for one in report.exercises}
    exercises = [one for one in assessment.exercises if one.number in graded]
    if report.only:
        exercises = [one.only(report.only) for one in exercises]
    if not report.problem:
        foreign = report.grader != grader_version()
        again, _ = reading.results(exercises, histories, assessment.scoring, foreign=foreign)
        report = report.model_copy(update={"exercises": again, "changes": None})
    return concluded(report, assessment)


def concluded(report: Report, assessment: Assessment) -> Report:
    """Add what follows from the verdicts: the grade where the whole assessment was judged, and what to do next."""
    scoring = assessment.scoring
    whole = len(report.exercises) == len(assessment.exercises) and not report.only
    grade = scoring.grade(report.exercises, report.bonus) if whole else None
    return report.model_copy(update={"grade": grade, "next_step": _next_step(report, scoring)})


def _next_step(report: Report, scoring: Scoring) -> str | None:
    """Say what brings most: where the service as a whole does not work, that, and else what the scoring says."""
    untried = [one for part in report.exercises for one in part.criteria if report.untried(one)]
    if untried:
        return f"fix the problem at the top of this report: because of it, {len(untried)} criteria could not be tried"
    return None if report.only else scoring.next_step(report.exercises)


def _is_whole(exercises: Sequence[Exercise], assessment: Assessment) -> bool:
    return tuple(exercises) == assessment.exercises


def _only(exercises: Sequence[Exercise], assessment: Assessment) -> tuple[str, ...]:
    """Return the criteria that were graded; none where whole exercises were."""
    if all(one in assessment.exercises for one in exercises):
        return ()
    return tuple(criterion.number for one in exercises for criterion in one.criteria)


def _notes(asked: Sequence[Exercise], judged: Sequence[Exercise], assessment: Assessment) -> tuple[str, ...]:
    """Return what a report says of criteria that were left out, and of those that read what others make."""
    chosen = [one for exercise in asked for one in exercise.criteria]
    count = sum(len(one.criteria) for one in judged)
    if count < len(chosen):
        return (f"Stopped at the first failure: {count} of {len(chosen)} criteria were judged.",)
    if not _only(asked, assessment):
        return ()
    ran = ", ".join(sorted({one.name for exercise in asked for one in exercise.experiments}))
    return tuple(
        f"{one.number} reads all experiments of a run, and these were all: {ran}. A full run has more."
        for one in chosen
        if one.reads_run
    )


def _left(histories: Mapping[str, History]) -> tuple[str, ...]:
    """Return the command lines of what the services left running."""
    found = (command for one in histories.values() for event in one.of(Cleared) for command in event.left)
    return tuple(dict.fromkeys(excerpt(command) for command in found))[:LEFT]


def _describe(error: SubmissionError | MachineError) -> str:
    return f"{error}\n{error.detail}".strip()
