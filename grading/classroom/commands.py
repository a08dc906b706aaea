"""The command line of the class: `grading class`."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from grading.classroom.choice import Choice
from grading.classroom.class_run import ClassRun, Selection
from grading.classroom.cluster import on_cluster
from grading.classroom.display import display
from grading.classroom.gradebooks.write import Exports, write_gradebooks
from grading.classroom.grades import Grade
from grading.classroom.live_page import LivePage
from grading.classroom.page import INDEX
from grading.classroom.publish import Publish, publisher
from grading.classroom.record import State
from grading.classroom.roster import LateRule, Roster, moment, read_roster
from grading.classroom.runner import Runner, default_jobs, side_by_side
from grading.classroom.store import Store
from grading.classroom.student import Task
from grading.console import make_console, print_error
from grading.errors import GradingError, MachineError, UsageError
from grading.integrity import take_key
from grading.runtime import RuntimeName
from grading.runtimes import choose_runtime
from grading.workspace import sweep


class Exit(IntEnum):
    """How the command ends."""

    GRADED = 0
    NOT_FETCHED = 1
    WRONG_USE = 2
    NOT_JUDGED = 3
    INTERRUPTED = 130


err = make_console(stderr=True)


def grade_class(
    ctx: typer.Context,
    roster: Annotated[
        Path, typer.Argument(metavar="ROSTER", help="CSV or TOML file with one row per student.")
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the results. Students whose results are there are not graded again."
        ),
    ] = Path("results"),
    name: Annotated[
        str | None,
        typer.Option("--assessment", "-a", help="The assessment to grade, whatever the submissions name."),
    ] = None,
    exercise: Annotated[
        list[int] | None,
        typer.Option("--exercise", "-e", help="Grade only this exercise. Repeat for more than one."),
    ] = None,
    *,
    contract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own contract, as for `score`.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Grade this student again. Repeat for more than one."),
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Grade again the students whose submissions have changed.")
    ] = False,
    deadline: Annotated[
        str | None, typer.Option(metavar="TIME", help="Deadline for students who have none in the roster.")
    ] = None,
    late_per_day: Annotated[
        float | None, typer.Option(help="Points lost for each day after the deadline that has begun.", min=0)
    ] = None,
    late_cap: Annotated[
        float | None, typer.Option(help="The most points that can be lost for lateness.", min=0)
    ] = None,
    late_days: Annotated[
        int | None, typer.Option(help="Days after the deadline from which commits no longer count.", min=0)
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(help="Name of the assignment in Canvas and Moodle. [default: the assessment's title]"),
    ] = None,
    canvas: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Gradebook exported from Canvas, needed for canvas.csv."),
    ] = None,
    moodle: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Grading worksheet from Moodle, needed for moodle-worksheet.csv."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Number of students graded at the same time.", min=1)
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Grade on the workers of the Dask scheduler at this address."),
    ] = None,
    publish: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="mlflow URI", help="Publish each grading as a run of the MLflow server at this address."
        ),
    ] = None,
    runtime: Annotated[RuntimeName | None, typer.Option(help="Where services run, as for `score`.")] = None,
) -> None:
    """Grade a class and write gradebooks, reports and a page. Exit code: 0 if everybody has a grade, 1 if a submission could not be fetched, 2 for wrong usage, 3 if one could not be judged."""
    try:
        late = _late_rule(late_per_day, late_cap, late_days)
        read = read_roster(roster, deadline=_deadline(deadline), late=late)
        choice = Choice(ctx.obj, name, tuple(exercise or ()), contract)
        exports = Exports(title or choice()[0].title, canvas, moodle)
        exports.check()
        selection = Selection(frozenset(only or ()), changed)
        selection.check(read)
        to_publish = publisher(*publish) if publish else None
        for remark in read.remarks:
            err.print(remark, style="yellow", markup=False)
        sweep()
        with _ended_by_signals(), Store.open(folder, take_key()) as store:
            run = ClassRun(read, choice, choose_runtime(runtime), store, selection)
            runner = on_cluster(cluster, _tell) if cluster else side_by_side(jobs or default_jobs())
            code = _carry_out(run, runner, exports)
            if to_publish:
                _publish(run, to_publish)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    except KeyboardInterrupt:
        err.print("Interrupted; what has been graded is kept. The same command goes on from here.")
        raise typer.Exit(Exit.INTERRUPTED) from None
    raise typer.Exit(code)


def _carry_out(run: ClassRun, runner: Runner, exports: Exports) -> Exit:
    tasks = run.tasks()
    grades = run.grades()
    if note := run.runtime.note:
        err.print(note, style="yellow", markup=False)
    page = LivePage(run, grades)
    with display(err, len(tasks)) as shown:

        def step(task: Task, text: str) -> None:
            shown.step(task.student.id, text)
            page.started(task.student.id)

        try:
            for end in run.carry_out(tasks, runner, step):
                student = end.task.student
                grades[student.id] = run.grade(student)
                shown.ended(grades[student.id], unchanged=end.unchanged)
                page.ended(student.id)
        finally:
            remarks = write_gradebooks(run, list(grades.values()), exports)
            page.finish()
    for remark in remarks:
        err.print(remark, style="yellow", markup=False)
    err.print(_summary(run.roster, list(grades.values())), markup=False)
    err.print(f"Results are in {run.store.root / INDEX}", markup=False)
    return _exit_code(list(grades.values()))


def _publish(run: ClassRun, publish: Publish) -> None:
    """Publish what has not been; a server that cannot be used is told, and costs nothing else."""
    attempts = [one for student in run.roster.students for one in run.store.graded_attempts(student.id)]
    try:
        count = publish(attempts)
    except MachineError as error:
        err.print(error.message, style="yellow", markup=False)
    else:
        err.print(f"Published: {count}; published before: {len(attempts) - count}.")


def _summary(roster: Roster, grades: Sequence[Grade]) -> str:
    graded = [one for one in grades if one.points is not None]
    words = f"{len(graded)} of {len(roster.students)} students have a grade"
    without = [f"{one.student.id} ({one.state or 'not graded yet'})" for one in grades if one.points is None]
    return f"{words}; without one: {', '.join(without)}." if without else f"{words}."


def _exit_code(grades: Sequence[Grade]) -> Exit:
    states = {one.state for one in grades}
    if states & {State.NOT_JUDGED, None}:
        return Exit.NOT_JUDGED
    return Exit.NOT_FETCHED if State.NOT_FETCHED in states else Exit.GRADED


def _late_rule(per_day: float | None, cap: float | None, days: int | None) -> LateRule | None:
    if per_day is None and cap is None and days is None:
        return None
    if per_day is None or cap is None:
        raise UsageError("A late penalty needs both --late-per-day and --late-cap.")
    return LateRule(points_per_day=per_day, cap=cap, days=days)


def _deadline(text: str | None) -> datetime | None:
    try:
        return moment(text) if text else None
    except ValueError as error:
        raise UsageError(f"--deadline: {error}.") from None


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the run as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    err.print(text, markup=False)


def _complain(error: GradingError) -> Exit:
    print_error(error, err)
    return Exit.NOT_JUDGED if isinstance(error, MachineError) else Exit.WRONG_USE
