"""Grades one student in a process of its own, into a folder that is complete once its record is there.

    class ── keeper ── grader ── wardens ── services, fault proxy, ...

The keeper (see grading.keeper) ends what the grader leaves, and both end when the class does.
"""

import asyncio
import contextlib
import os
import pickle
import random
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos.history import History
from chaos.plain_text import plain
from grading import reading, results
from grading.classroom.choice import Choice
from grading.classroom.handed_in import HandedIn, find
from grading.classroom.record import Record, State
from grading.classroom.roster import Student
from grading.classroom.similarity import FINGERPRINTS, dump, fingerprints
from grading.classroom.store import write_record
from grading.containers import sweep as sweep_containers
from grading.errors import GradingError, MachineError, SubmissionError, UsageError
from grading.html import render_html
from grading.keeper import end_with_parent, keep
from grading.progress import Silent
from grading.report import Report
from grading.run import State as ExperimentState
from grading.runtime import RuntimeName
from grading.runtimes import ChosenRuntime
from grading.score import Graded, not_graded, score
from grading.submission import Submission, fetch
from grading.workspace import Workspace, remove_tree, sweep
from lab.experiment import Experiment

PAGE: Final = "report.html"
UNCHANGED: Final = 10
"""The exit code for a submission that is what it was, and need not be graded again."""
INTERRUPTED: Final = 130
STEP_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Task:
    """One student to be graded into the folder `draft`; `known` is the version that need not be graded again.

    Who starts the grading makes the folder. If it is gone, somebody has settled the class meanwhile, and the results are
    not wanted any more.
    """

    student: Student
    until: datetime | None
    choice: Choice
    runtime: ChosenRuntime
    run: int
    request: str
    draft: Path
    known: str | None = None


class Steps(Silent):
    """Tells the steps of a grading to who started it: a line for each."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._states: dict[str, ExperimentState] = {}

    def announce(self, text: str) -> None:
        line = " ".join(plain(text).split())[:STEP_LENGTH]
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{line}\n".encode())

    def update(self, experiment: Experiment, state: ExperimentState) -> None:
        self._states[experiment.name] = state
        done = sum(one in {"done", "broken"} for one in self._states.values())
        self.announce(f"{done} of {len(self._states)} experiments done")


def main() -> None:
    """Grade the student whose task is on stdin, with the process that started this one; steps go to stdout."""
    task, parent = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by who started this process
    end_with_parent(parent)
    steps = Steps(os.dup(sys.stdout.fileno()))
    _be_silent()
    keep(lambda number: _killed(task.runtime.name, number))
    try:
        written = asyncio.run(_unless_ended(task, steps))
    except asyncio.CancelledError:
        sys.exit(INTERRUPTED)
    if not written:
        sys.exit(UNCHANGED)


def write_failure(task: Task, error: GradingError, found: HandedIn | None = None) -> None:
    """Write the results of a student who could not be graded, in the place of what is in the draft.

    `found` is what was handed in, if that is known.
    Raises UsageError if the choice itself is wrong, and OSError if there is no draft any more.
    """
    report = not_graded(task.student.repository, error, task.choice, seed=0, runtime=task.runtime)
    if report is None:
        raise error
    for path in task.draft.iterdir():
        remove_tree(path)
    _write(task, Graded(report, {}), found, error)


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _killed(runtime: RuntimeName, number: int) -> int:
    sweep()
    if runtime is RuntimeName.DOCKER:
        asyncio.run(sweep_containers())
    return 128 + number


async def _unless_ended(task: Task, steps: Steps) -> bool:
    """Grade, unless SIGTERM comes: then everything that was started is torn down first."""
    work = asyncio.ensure_future(_grade(task, steps))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    return await work


async def _grade(task: Task, steps: Steps) -> bool:
    """Write the results of a student; returns whether there was anything new to grade."""
    found: HandedIn | None = None
    try:
        with Workspace.open() as workspace, workspace.as_temporary_folder():
            steps.announce("looking for what was handed in")
            found = await find(task.student, task.until, workspace)
            if task.known is not None and task.known == await _version(found, workspace):
                return False
            graded = await _score(task, found, steps, workspace)
        _write(task, graded, found, None)
    except Exception as error:  # noqa: BLE001 - whatever happens to one student, the class goes on
        write_failure(task, _told(error), found)
    return True


async def _version(found: HandedIn, workspace: Workspace) -> str:
    return found.commit or reading.tree(await fetch(found.spec, workspace))


async def _score(task: Task, found: HandedIn, steps: Steps, workspace: Workspace) -> Graded:
    def keep_fingerprints(submission: Submission) -> None:
        dump(fingerprints(submission.root), task.draft / FINGERPRINTS)

    return await score(
        found.spec,
        task.choice,
        seed=random.SystemRandom().randrange(2**32),
        workspace=workspace,
        progress=steps,
        runtime=task.runtime,
        fetched=keep_fingerprints,
    )


def _write(task: Task, graded: Graded, found: HandedIn | None, error: GradingError | None) -> None:
    report = graded.report.model_copy(update={"submission": task.student.id})
    results.write(task.draft, report, graded.histories)
    _write_page(task.draft / PAGE, report, graded.histories)
    write_record(
        task.draft,
        Record(
            id=task.student.id,
            run=task.run,
            request=task.request,
            state=_state(report, error),
            reason=error.message if error else _reason(report),
            version=(found.commit if found else None) or report.tree,
            commit=found.commit if found else report.commit,
            committed=found.committed if found else None,
            points=report.total,
            max_points=report.max_points,
            mention=report.grade.mention if report.grade else None,
            started=report.started or datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=report.seconds,
        ),
    )


def _write_page(path: Path, report: Report, histories: dict[str, History]) -> None:
    # The grade does not depend on the page.
    with contextlib.suppress(Exception):
        path.write_text(render_html(report, histories), encoding="utf-8")


def _state(report: Report, error: GradingError | None) -> State:
    if report.judged:
        return State.GRADED
    return State.NOT_FETCHED if isinstance(error, UsageError | SubmissionError) else State.NOT_JUDGED


def _reason(report: Report) -> str:
    """Say in a line why there are few points, or no grade, if one thing is why."""
    if report.problem:
        return report.problem.partition("\n")[0]
    if failure := report.control_failure:
        return f"The service {'does not work' if failure.started else 'did not start'}: {failure.reason}"
    return "" if report.judged else "Some verdicts could not be given; grade it again."


def _told(error: Exception) -> GradingError:
    if isinstance(error, GradingError):
        return error
    return MachineError(f"The grader itself failed ({type(error).__name__}: {error}).")
