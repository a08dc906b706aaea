"""The command line of the calibration: `grading calibrate`."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from grading.calibrate.busy import busy_loops
from grading.calibrate.corpus import Case, Corpus, sample
from grading.calibrate.document import document, latest
from grading.calibrate.generated.cases import GENERATED, cases
from grading.calibrate.generated.section import line
from grading.calibrate.generated.starts import stillborn
from grading.calibrate.matrix import legend, lines, row
from grading.calibrate.outcome import Conditions, Journal, Outcome, not_graded
from grading.calibrate.run import Task, run_all, tasks
from grading.calibrate.tally import as_expected
from grading.errors import GradingError
from grading.runtime import RuntimeName
from lab.assessment import Assessment

JOURNAL = "outcomes.jsonl"
SURPRISES = "surprises"
WIDTH = 160

out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False, width=WIDTH)


def calibrate(
    ctx: typer.Context,
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="Run only this case. Repeat for more than one.")
    ] = None,
    exercise: Annotated[
        list[int] | None, typer.Option("--exercise", "-e", help="Run only mutants of this exercise.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--sample", help="Run only this many cases, spread over the exercises.", min=0),
    ] = None,
    repeat: Annotated[int, typer.Option(help="Number of runs of each case.", min=1)] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Grade mutants only in the exercises that they should fail.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", help="Number of cases graded at the same time.", min=1)
    ] = 2,
    busy: Annotated[int, typer.Option(help="Number of busy loops that run beside the gradings.", min=0)] = 0,
    runtime: Annotated[RuntimeName, typer.Option(help="Where services run.")] = RuntimeName.PROCESS,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the outcomes. Cases whose outcomes are there are not run again."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the assessment's page CALIBRATION.md.")
    ] = False,
    generated: Annotated[
        bool,
        typer.Option(
            "--generated", help="Run generated mutants instead, each in the exercises that it is about."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--assessment", "-a", help="The assessment whose cases to run. [default: exam]"),
    ] = None,
) -> None:
    """Test the grader on known faults and right solutions. Exit code: 0 if every verdict is the expected one, every time."""
    load: Callable[[], Assessment] = functools.partial(ctx.obj, name) if name else ctx.obj
    try:
        assessment = load()
        places = Corpus.of(assessment)
        pool = cases(places) if generated else places.cases()
    except KeyError:
        err.print(f"There is no assessment {name}.", style="red", markup=False)
        raise typer.Exit(2) from None
    except GradingError as error:
        err.print(error.message, style="red", markup=False)
        raise typer.Exit(2) from None
    folder = folder or places.folder
    journals = Journal(folder / JOURNAL), Journal(folder / GENERATED / JOURNAL)
    journal = journals[generated]
    chosen = _visible(_choose(pool, only or [], exercise or [], count), runtime)
    todo = tasks(
        chosen,
        journal,
        folder / SURPRISES,
        repeat=repeat,
        quick=quick,
        conditions=Conditions(busy, runtime),
        assessment=load,
    )
    if generated:
        todo = _without_stillborn(todo, journal, assessment)
    show = line if generated else functools.partial(row, exercises=assessment.exercises)
    try:
        if not generated:
            err.print(legend(assessment.exercises), markup=False)
        with busy_loops(busy if todo else 0):
            _run_all(todo, journal, jobs, show)
    except KeyboardInterrupt:
        err.print("Interrupted; what has been run is kept.")
        raise typer.Exit(130) from None
    runs = latest(journal, chosen if generated else pool)
    for text in (
        map(line, *zip(*runs, strict=True)) if generated and runs else lines(runs, assessment.exercises)
    ):
        out.print(text, markup=False)
    if write:
        machine_made = cases(places)
        made = (machine_made, latest(journals[True], machine_made))
        page = document(places.cases(), journals[False], assessment.exercises, made)
        places.page.write_text(page, encoding="utf-8")
    raise typer.Exit(0 if all(_is_right(case, journal) for case in chosen) else 1)


def _is_right(case: Case, journal: Journal) -> bool:
    """Whether a case has been run with the present code, and came out as expected every time."""
    outcomes = journal.of(case.name, fingerprint=case.fingerprint())
    return bool(outcomes) and all(as_expected(case, outcome) for outcome in outcomes)


def _visible(chosen: Sequence[Case], runtime: RuntimeName) -> tuple[Case, ...]:
    """Return the cases that have an effect in a runtime, and name the others."""
    for case in chosen:
        if runtime in case.hidden_in:
            err.print(f"{case.name} is left out: it has no effect in the runtime {runtime}.", markup=False)
    return tuple(case for case in chosen if runtime not in case.hidden_in)


def _choose(
    corpus: Sequence[Case], only: Sequence[str], numbers: Sequence[int], count: int | None
) -> tuple[Case, ...]:
    if unknown := set(only) - {case.name for case in corpus}:
        err.print(f"There is no case {min(unknown)}.", style="red", markup=False)
        raise typer.Exit(2)
    chosen = [
        case
        for case in corpus
        if (case.name in only if only else not case.equivalent)
        and (not numbers or not case.exercises.isdisjoint(numbers))
    ]
    return tuple(chosen) if count is None else sample(chosen, count)


def _without_stillborn(todo: Sequence[Task], journal: Journal, assessment: Assessment) -> list[Task]:
    """Return the tasks whose services start, and note of the others that they do not."""
    reasons = stillborn([task.case for task in todo], assessment.contract)
    for task in todo:
        if reason := reasons.get(task.case.name):
            journal.add(not_graded(task.case.name, task.case.fingerprint(), reason))
    return [task for task in todo if task.case.name not in reasons]


def _run_all(todo: Sequence[Task], journal: Journal, jobs: int, show: Callable[[Case, Outcome], str]) -> None:
    with contextlib.closing(run_all(todo, jobs)) as outcomes:
        for number, (case, outcome) in enumerate(outcomes, start=1):
            if isinstance(outcome, str):
                err.print(f"{case.name}: {outcome}", style="red", markup=False)
                continue
            journal.add(outcome)
            err.print(f"{show(case, outcome)}  {number} of {len(todo)}", markup=False)
