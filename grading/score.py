"""Grades one submission: from where it is to a report and the histories behind it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.contract import StartDefaults
from chaos.history import History
from grading import judge
from grading.documentation import FILE as DOCUMENTATION
from grading.documentation import documentation
from grading.engine import Bench, conduct, conduct_again
from grading.errors import MachineError, SubmissionError
from grading.grade import grade, next_step
from grading.processes import processes
from grading.progress import Progress
from grading.report import Report
from grading.runtime import OpenRuntime
from grading.start import plan
from grading.submission import fetch
from grading.workspace import Workspace
from lab.exercise import Exercise
from lab.exercise import exercises as all_exercises
from lab.experiment import Experiment
from lab.verdict import not_judged

START_DEFAULTS = StartDefaults(
    main=Path("src/api/main.py"),
    service="api",
    dockerfiles=(Path("src/api/Dockerfile"), Path("Dockerfile")),
    example="uvicorn api.main:app --app-dir src",
)
RESERVED = frozenset(
    {
        "JWT_SECRET_KEY",
        "CORS_ORIGINS",
        "LITELLM_URL",
        "QDRANT_URL",
        "MLFLOW_TRACKING_URI",
        "TEI_URL",
        "ENVIRONMENT",
        "AUTH_ADMIN_PASSWORD",
        "AUTH_USER_PASSWORD",
    }
)


@dataclass(frozen=True, slots=True)
class Graded:
    """A report with the histories that it was judged on, by experiment."""

    report: Report
    histories: dict[str, History]


async def score(
    spec: str,
    exercises: Sequence[Exercise],
    *,
    seed: int,
    workspace: Workspace,
    progress: Progress,
    runtime: OpenRuntime = processes,
) -> Graded:
    """Grade the submission at `spec` (a path or a git URL) in the given exercises.

    What is the submission's fault ends in a report; raises UsageError where there is no submission at `spec`.
    """
    started = datetime.now(UTC)
    clock = time.monotonic()
    progress.announce(f"fetching {spec}")
    submission = await fetch(spec, workspace)
    histories: dict[str, History] = {}
    repeated: tuple[Experiment, ...] = ()
    problem = ""
    machine = False
    faults = "none"
    try:
        start = plan(submission, START_DEFAULTS, RESERVED)
        experiments = tuple(dict.fromkeys(one for exercise in exercises for one in exercise.experiments))
        async with runtime(submission, start, workspace, seed=seed, announce=progress.announce) as opened:
            progress.announce("running the experiments")
            faults = opened.fault_proxy
            bench = Bench(opened, seed, progress.update)
            histories = await conduct(experiments, bench)
            results = judge.judge(exercises, histories)
            if repeated := judge.disturbed(exercises, results):
                progress.announce("running again what the machine was too busy for")
                histories |= await conduct_again(repeated, bench)
                results = judge.judge(exercises, histories)
    except SubmissionError as error:
        problem = _told(error)
        results = judge.fail_all(exercises, judge.unrunnable(str(error)))
    except MachineError as error:
        problem, machine = _told(error), True
        results = judge.fail_all(exercises, not_judged(str(error), blame="machine"))
    report = Report(
        submission=submission.name,
        commit=submission.commit,
        dirty=submission.dirty,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        seed=seed,
        fault_proxy=faults,
        repeated=tuple(sorted(one.name for one in repeated)),
        start_failure=judge.start_failure(histories),
        exercises=results,
        documentation=documentation(submission.text(DOCUMENTATION), exercises) if _whole(exercises) else None,
        problem=problem or None,
        machine_problem=machine,
    )
    return Graded(concluded(report), histories)


def rescored(report: Report, histories: Mapping[str, History]) -> Report:
    """Judge the recorded histories of a run again, in the exercises that it was graded in."""
    graded = {one.number for one in report.exercises}
    if not report.problem:
        again = judge.judge([one for one in all_exercises() if one.number in graded], histories)
        report = report.model_copy(update={"exercises": again})
    return concluded(report)


def concluded(report: Report) -> Report:
    """Add what follows from the verdicts: the grade where the whole exam was judged, and what to do next."""
    whole = report.documentation and grade(report.exercises, report.documentation)
    return report.model_copy(update={"grade": whole, "next_step": next_step(report.exercises)})


def _whole(exercises: Sequence[Exercise]) -> bool:
    return len(exercises) == len(all_exercises())


def _told(error: SubmissionError | MachineError) -> str:
    return f"{error}\n{error.detail}".strip()
