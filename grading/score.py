"""Grades one submission: from where it is to a report and the histories behind it."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.history import Cleared, History
from chaos.plain_text import plain
from grading import judge, reading
from grading.errors import GradingError, MachineError, SubmissionError, UsageError, without_credentials
from grading.progress import Progress
from grading.report import ControlFailure, Report
from grading.run import Run, run_again, run_all
from grading.runtimes import ChosenRuntime
from grading.submission import Submission, fetch
from grading.version import grader_version
from grading.workspace import Workspace
from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.experiment import Experiment
from lab.reading import excerpt
from lab.result import ExerciseResult
from lab.scoring import Scoring
from lab.verdict import not_judged

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
) -> Graded:
    """Grade the submission at `spec` (a path or a git URL) in the exercises that `choose` returns for it.

    What is the submission's fault ends in a report; raises UsageError where there is no submission at `spec`.
    """
    grader = grader_version()  # before anything of a submission's could change it
    started = datetime.now(UTC)
    clock = time.monotonic()
    progress.announce(f"fetching {spec}")
    refused: SubmissionError | None = None
    named = None
    tree = ""
    try:
        submission = await fetch(spec, workspace)
        named = reading.named_assessment(submission)
        tree = reading.tree(submission)
    except SubmissionError as error:
        refused = error
        submission = Submission(spec, Path(spec).name, workspace.folder("nothing"))
    assessment, exercises = choose(named)
    contract, scoring = assessment.contract, assessment.scoring
    histories: dict[str, History] = {}
    repeated: tuple[Experiment, ...] = ()
    control_failure: ControlFailure | None = None
    problem = ""
    machine = False
    faults = "none"
    try:
        if refused:
            raise refused
        plan = reading.plan(submission, contract.start, contract.names)
        experiments = tuple(dict.fromkeys(one for exercise in exercises for one in exercise.experiments))
        async with runtime.open(submission, plan, workspace, seed=seed, announce=progress.announce) as opened:
            progress.announce("running the experiments")
            faults = opened.fault_proxy
            run = Run(opened, contract, seed, progress.update)
            histories = await run_all(experiments, run)
            results, control_failure = reading.results(exercises, histories, scoring)
        if repeated := judge.disturbed(exercises, results):
            progress.announce("running again what could not be judged")
            # In a new runtime: what failed in the first may be a part of it.
            with contextlib.suppress(MachineError):
                async with runtime.open(
                    submission, plan, workspace, seed=seed, announce=progress.announce
                ) as opened:
                    histories |= await run_again(repeated, Run(opened, contract, seed, progress.update))
            results, control_failure = reading.results(exercises, histories, scoring)
    except SubmissionError as error:
        problem = _describe(error)
        results = judge.fail_all(exercises, judge.unrunnable(str(error)), scoring)
    except MachineError as error:
        problem, machine = _describe(error), True
        results = judge.fail_all(exercises, not_judged(str(error), blame="machine"), scoring)
    report = Report(
        submission=plain(submission.name),
        assessment=assessment.name,
        scheme=scoring.scheme,
        commit=submission.commit,
        dirty=submission.dirty,
        tree=tree,
        grader=grader,
        contract=hashlib.sha256(contract.model_dump_json().encode()).hexdigest(),
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        seed=seed,
        runtime=runtime.name,
        runtime_note=runtime.note,
        fault_proxy=faults,
        repeated=tuple(sorted(one.name for one in repeated)),
        control_failure=control_failure,
        left=_left(histories),
        exercises=results,
        bonus=reading.bonus(assessment, submission) if _is_whole(assessment, exercises) else None,
        problem=problem or None,
        machine_problem=machine,
    )
    return Graded(concluded(report, assessment), histories)


def not_graded(
    spec: str, error: GradingError, choose: Choose, *, seed: int, runtime: ChosenRuntime
) -> Report | None:
    """Return the report on what could not be graded, so that it has a line among the others; no verdict is a failure.

    None where it is the choice of assessment or exercises that is wrong.
    """
    try:
        assessment, exercises = choose(None)
    except UsageError:
        return None
    verdict = not_judged(error.message, blame="machine" if isinstance(error, MachineError) else "harness")
    return Report(
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
        exercises=judge.fail_all(exercises, verdict, assessment.scoring),
        problem=f"{error.message}\n{error.detail}".strip(),
        machine_problem=isinstance(error, MachineError),
    )


def rescored(report: Report, histories: Mapping[str, History], assessment: Assessment) -> Report:
    """Judge the recorded histories of a run again, in the exercises that it was graded in."""
    graded = {one.number for one in report.exercises}
    exercises = [one for one in assessment.exercises if one.number in graded]
    if not report.problem:
        again, _ = reading.results(exercises, histories, assessment.scoring)
        report = report.model_copy(update={"exercises": again})
    return concluded(report, assessment)


def concluded(report: Report, assessment: Assessment) -> Report:
    """Add what follows from the verdicts: the grade where the whole assessment was judged, and what to do next."""
    scoring = assessment.scoring
    whole = _is_whole(assessment, report.exercises)
    grade = scoring.grade(report.exercises, report.bonus) if whole else None
    return report.model_copy(update={"grade": grade, "next_step": _next_step(report, scoring)})


def _next_step(report: Report, scoring: Scoring) -> str | None:
    """Say what brings most: where the service as a whole does not work, that, and else what the scoring says."""
    untried = [one for part in report.exercises for one in part.criteria if report.untried(one)]
    if untried:
        return f"fix the problem at the top of this report: because of it, {len(untried)} criteria could not be tried"
    return scoring.next_step(report.exercises)


def _is_whole(assessment: Assessment, exercises: Sequence[Exercise] | Sequence[ExerciseResult]) -> bool:
    return len(exercises) == len(assessment.exercises)


def _left(histories: Mapping[str, History]) -> tuple[str, ...]:
    """Return the command lines of what the services left running."""
    found = (command for one in histories.values() for event in one.of(Cleared) for command in event.left)
    return tuple(dict.fromkeys(excerpt(command) for command in found))[:LEFT]


def _describe(error: SubmissionError | MachineError) -> str:
    return f"{error}\n{error.detail}".strip()
