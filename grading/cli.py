"""The command line of the grader."""

import asyncio
import functools
import json
import os
import random
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.text import Text

from chaos.contract import Contract, ContractError
from chaos.plain_text import plain
from exercises import catalogue
from grading import results
from grading.autograder.export import Platform
from grading.autograder.export import export_autograder as write_autograder
from grading.calibrate.commands import calibrate
from grading.changes import with_changes
from grading.classroom.commands import grade_class
from grading.console import make_console, print_error
from grading.containers import sweep as sweep_containers
from grading.doctor import can_grade
from grading.doctor import examine as examine_machine
from grading.doctor import render as render_examination
from grading.errors import GradingError, MachineError, UsageError
from grading.explain import explain as explain_exercises
from grading.formats import reports
from grading.handout import write_handout
from grading.integrity import take_key
from grading.keeper import keep
from grading.output import Format, check_use, document, write
from grading.progress import progress
from grading.render_findings import render_findings
from grading.render_text import render
from grading.report import Report
from grading.rescore import rescore as judge_again
from grading.runtime import RuntimeName
from grading.runtimes import ChosenRuntime, choose_runtime
from grading.saves import Saves
from grading.score import Choose, Graded, not_graded
from grading.score import score as grade
from grading.stack import commands as stack
from grading.verify import Finding, State
from grading.verify import verify as examine
from grading.watch import Watch
from grading.workspace import Workspace, sweep
from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.reading import excerpt

T = TypeVar("T")

app = typer.Typer(
    name="grading",
    help="Grade an LLM API's production readiness by breaking what it depends on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_RUNS = "A folder that `score --out` has filled, or one run in it."

ExerciseOption = Annotated[
    list[int] | None,
    typer.Option("--exercise", "-e", help="Grade only this exercise. Repeat for more than one."),
]
CriterionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--criterion",
        "-c",
        help="Judge only this criterion, such as 3.4, without points. Repeat for more than one.",
    ),
]
AssessmentOption = Annotated[
    str | None,
    typer.Option(
        "--assessment", "-a", help="The assessment to grade, instead of the one that the submission names."
    ),
]
ContractOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your own contract, with other variables, paths, logins or models."),
]
FailFastOption = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first failure. There are no points then.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write reports and histories to this folder.")]
SeedOption = Annotated[int | None, typer.Option(help="Use the nonces of an earlier run.", min=0)]
RuntimeOption = Annotated[
    RuntimeName | None,
    typer.Option(help="Where services run. [default: sandbox, or process if no sandbox can run here]"),
]


out = make_console()
err = make_console(stderr=True)


class Exit(IntEnum):
    """How the grader ends."""

    PASSED = 0
    NOT_PASSED = 1
    WRONG_USE = 2
    NOT_JUDGED = 3
    INTERRUPTED = 130


@app.callback()
def _commands(ctx: typer.Context) -> None:
    """Tell the commands that know no catalogue which assessment they are about."""
    ctx.obj = catalogue.assessment


@app.command()
def score(
    repositories: Annotated[
        list[str],
        typer.Argument(metavar="REPO...", help="Folders or git URLs. Add @COMMIT for a certain commit."),
    ],
    exercise: ExerciseOption = None,
    criterion: CriterionOption = None,
    name: AssessmentOption = None,
    contract: ContractOption = None,
    *,
    fail_fast: FailFastOption = False,
    output: Annotated[Format, typer.Option("--format", help="Format of the report.")] = Format.TEXT,
    folder: OutOption = None,
    seed: SeedOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Grade submissions. Exit code: 0 if all pass, 1 if one fails, 2 for wrong usage, 3 if one could not be judged."""
    try:
        check_use(output, len(repositories), parts=bool(criterion) or fail_fast)
        choose = _chooser(name, exercise or [], criterion or [], contract)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    key = _key()
    chosen = choose_runtime(runtime)
    keep(functools.partial(_grader_killed, chosen.name))
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    done: list[Graded] = []
    codes: list[Exit] = []
    for repository in repositories:
        try:
            graded = _run(_grade(repository, choose, seed, chosen, folder, fail_fast=fail_fast))
        except typer.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - one submission must not cost the others of a class their grades
            reason = _reason(repository, error)
            codes.append(_complain(reason))
            if report := not_graded(repository, reason, choose, seed=seed, runtime=chosen):
                done.append(Graded(report, {}))
            continue
        codes.append(_exit_code(graded.report))
        # A class's histories would fill the memory; only a page of one submission needs them.
        done.append(graded if output is Format.HTML else Graded(graded.report, {}))
        try:
            if output is Format.TEXT:
                render(graded.report, out)
            if folder:
                kept = results.save(folder, graded.report, graded.histories, key)
                err.print(f"Results are in {kept}", markup=False)
        except Exception as error:  # noqa: BLE001 - as above
            codes.append(_complain(_reason(repository, error)))
    if output is not Format.TEXT:
        _print_document(done, output)
    raise typer.Exit(max(codes))


@app.command()
def watch(
    repository: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the submission.")] = Path(),
    exercise: ExerciseOption = None,
    criterion: CriterionOption = None,
    name: AssessmentOption = None,
    contract: ContractOption = None,
    *,
    fail_fast: FailFastOption = False,
    folder: OutOption = None,
    seed: SeedOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Grade a folder, then what failed after each save, then the rest once that passes. Stop with Ctrl-C (exit code 130)."""
    try:
        choose = _chooser(name, exercise or [], criterion or [], contract)
        if not repository.is_dir():
            raise UsageError(f"There is no folder {repository}; name the folder of a submission.")
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    key = _key()
    chosen = choose_runtime(runtime)
    keep(functools.partial(_grader_killed, chosen.name))
    has_report = False

    async def grade_part(part: Choose) -> Report | None:
        """Grade and show; what goes wrong after a first report may go well after the next save."""
        nonlocal has_report
        nonce = random.SystemRandom().randrange(2**32) if seed is None else seed
        try:
            graded = await _grade(str(repository), part, nonce, chosen, folder, fail_fast=fail_fast)
            render(graded.report, out)
            if folder:
                results.save(folder, graded.report, graded.histories, key)
        except GradingError as error:
            if not has_report:
                raise
            _complain(error)
            return None
        has_report = True
        return graded.report

    try:
        watching = Watch(choose, grade_part, _Pages(repository))
        _run(_watch(watching, Saves(repository, [folder] if folder else [])))
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None


@app.command()
def rescore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=_RUNS)],
    output: Annotated[Format, typer.Option("--format", help="Format of the report.")] = Format.TEXT,
) -> None:
    """Judge recorded runs again without running anything."""
    try:
        runs = results.find_all(folder)
        check_use(output, len(runs))
        again = judge_again(runs, _assessment)
        _show(again, output)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    raise typer.Exit(max(_exit_code(one.report) for one in again))


@app.command(name="report")
def show_report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=_RUNS)],
    output: Annotated[Format, typer.Option("--format", help="Format of the report.")] = Format.TEXT,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to this file instead of the terminal.")
    ] = None,
) -> None:
    """Print the reports of recorded runs. The exit code is 0, whatever the grade."""
    try:
        runs = [Graded(report, histories) for report, histories in results.load_all(folder)]
        if file:
            write(file, document(runs, output))
        else:
            _show(runs, output)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    if file:
        err.print(f"The report is in {file}", markup=False)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that was given to `score --out`.")],
    commit: Annotated[
        str | None, typer.Option(help="The commit that should have been graded, or its first digits.")
    ] = None,
) -> None:
    """Check whether results were changed. Exit code: 0 if all are genuine, 1 if one was changed or is unsigned, 2 without the key."""
    try:
        key = take_key()
        findings = examine(folder, _assessment, key, commit=commit)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    render_findings(findings, out)
    raise typer.Exit(_verified(findings, signed=key is not None))


@app.command()
def explain(
    exercise: Annotated[int | None, typer.Argument(help="Explain only this exercise.")] = None,
    name: Annotated[
        str, typer.Option("--assessment", "-a", help="Name of the assessment.")
    ] = catalogue.DEFAULT,
) -> None:
    """Print the criteria and how they are scored."""
    try:
        assessment = _assessment(name)
        chosen = _exercises(assessment, [] if exercise is None else [exercise])
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    explain_exercises(assessment, chosen, out)


@app.command()
def doctor() -> None:
    """Check whether this machine can grade. Exit code: 0 if it can, 3 if something is missing."""
    findings = examine_machine()
    render_examination(findings, out)
    raise typer.Exit(Exit.PASSED if can_grade(findings) else Exit.NOT_JUDGED)


@app.command()
def handout(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[
        str, typer.Option("--assessment", "-a", help="Name of the assessment.")
    ] = catalogue.DEFAULT,
) -> None:
    """Write the students' repository, with the starter instead of the solution and one commit."""
    try:
        write_handout(folder, _assessment(name))
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    out.print(f"The hand-out is in {folder}.", markup=False)


@app.command()
def export_autograder(
    platform: Annotated[Platform, typer.Argument(help="Platform that will run it.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[
        str, typer.Option("--assessment", "-a", help="Name of the assessment.")
    ] = catalogue.DEFAULT,
) -> None:
    """Write an autograder for Gradescope or PrairieLearn that contains this grader."""
    try:
        written = write_autograder(platform, folder, _assessment(name))
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    out.print(f"Upload {written}.", markup=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of `--format json`."""
    _print(json.dumps(reports.schema(), indent=2) + "\n")


stack.register(app)
app.command()(calibrate)
app.command(name="class")(grade_class)


def main() -> None:
    """Run the command line."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        err.print(f"The grader cannot continue ({error}); fix that and try again.", style="red", markup=False)
        # What could not be written is tried once more at exit, which would change the code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.NOT_JUDGED)


async def _grade(
    repository: str,
    choose: Choose,
    seed: int,
    runtime: ChosenRuntime,
    folder: Path | None,
    *,
    fail_fast: bool,
) -> Graded:
    """Grade a submission; the report says what has changed since the runs in `folder`."""
    with Workspace.open() as workspace, workspace.as_temporary_folder(), progress(err) as display:
        graded = await grade(
            repository,
            choose,
            seed=seed,
            workspace=workspace,
            progress=display,
            runtime=runtime,
            fail_fast=fail_fast,
        )
    return replace(graded, report=with_changes(graded.report, folder)) if folder else graded


async def _watch(watch: Watch, saves: Saves) -> None:
    async with saves.watched():
        await watch.run(saves)


class _Pages:
    """The pages of `watch`: on a terminal each in place of the one before, and else below a line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def turn(self, title: str) -> None:
        if out.is_terminal:
            out.clear()
        out.rule(Text(plain(title)))

    def rest(self) -> None:
        sys.stdout.flush()
        err.print(f"Waiting for a save in {self._folder}; Ctrl-C ends this.", markup=False, soft_wrap=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` so that Ctrl-C and SIGTERM unwind it, and everything that it started is torn down."""

    async def main() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

        def interrupt() -> None:
            for (
                number
            ) in numbers:  # a terminal and the keeper may both send one, and the end is not to be interrupted
                loop.add_signal_handler(number, lambda: None)
            task.cancel()

        for number in numbers:
            loop.add_signal_handler(number, interrupt)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        err.print("Interrupted; everything that was started has been ended.")
        raise typer.Exit(Exit.INTERRUPTED) from None


def _grader_killed(runtime: RuntimeName, number: int) -> Exit:
    """Clean up after a grader that was killed, and say so. Runs in the keeper."""
    sweep()
    if runtime is RuntimeName.DOCKER:
        asyncio.run(sweep_containers())
    told = (
        f"The grader was killed (by {signal.Signals(number).name}). Everything that it had started has been ended."
        " If the submission may have done that, grade it with --runtime sandbox."
    )
    err.print(told, style="red", markup=False)
    return Exit.NOT_JUDGED


def _chooser(
    name: str | None, numbers: Sequence[int], criteria: Sequence[str], contract: Path | None
) -> Choose:
    if numbers and criteria:
        raise UsageError("--exercise and --criterion do not go together; give one of them.")

    def choose(named: str | None) -> tuple[Assessment, Sequence[Exercise]]:
        assessment = _assessment(name or named or catalogue.DEFAULT)
        try:
            if contract:
                assessment = assessment.with_contract(Contract.load(contract))
        except ContractError as error:
            raise UsageError(str(error)) from error
        chosen = _criteria(assessment, criteria) if criteria else _exercises(assessment, numbers)
        return assessment, chosen

    return choose


def _assessment(name: str) -> Assessment:
    try:
        return catalogue.assessment(name)
    except KeyError:
        listed = ", ".join(catalogue.NAMES)
        raise UsageError(f"There is no assessment '{excerpt(name, 40)}'; there are: {listed}.") from None


def _exercises(assessment: Assessment, numbers: Sequence[int]) -> list[Exercise]:
    known = {one.number: one for one in assessment.exercises}
    if unknown := [number for number in numbers if number not in known]:
        listed = ", ".join(map(str, known))
        raise UsageError(f"There is no exercise {unknown[0]}; there are {listed}.")
    return [known[number] for number in sorted(set(numbers or known))]


def _criteria(assessment: Assessment, numbers: Sequence[str]) -> list[Exercise]:
    """Return the exercises that these criteria are of, with nothing else in them."""
    known = {one.number for exercise in assessment.exercises for one in exercise.criteria}
    if unknown := [number for number in numbers if number not in known]:
        ranges = (f"{one.criteria[0].number} to {one.criteria[-1].number}" for one in assessment.exercises)
        raise UsageError(f"There is no criterion {excerpt(unknown[0], 20)}; there are {', '.join(ranges)}.")
    parts = (one.only(numbers) for one in assessment.exercises)
    return [one for one in parts if one.criteria]


def _exit_code(report: Report) -> Exit:
    if not report.judged:
        return Exit.NOT_JUDGED
    return Exit.PASSED if report.passed else Exit.NOT_PASSED


def _verified(findings: Sequence[Finding], *, signed: bool) -> Exit:
    """Return the exit code of `verify`; with a key, results without a signature may be forged ones."""
    states = {one.state for one in findings}
    if State.CHANGED in states or (signed and State.NOT_SIGNED in states):
        return Exit.NOT_PASSED
    return Exit.WRONG_USE if State.NO_KEY in states else Exit.PASSED


def _key() -> bytes | None:
    try:
        return take_key()
    except UsageError as error:
        raise typer.Exit(_complain(error)) from None


def _complain(error: GradingError) -> Exit:
    print_error(error, err)
    return Exit.NOT_JUDGED if isinstance(error, MachineError) else Exit.WRONG_USE


def _reason(repository: str, error: Exception) -> GradingError:
    """Return an error as one that can be told; what nobody has foreseen is the grader's own failure."""
    if isinstance(error, GradingError):
        return error
    return MachineError(
        f"{repository} could not be graded: the grader itself failed ({type(error).__name__}: {error})."
    )


def _show(graded: Sequence[Graded], output: Format) -> None:
    if output is not Format.TEXT:
        _print(document(graded, output))
        return
    for one in graded:
        render(one.report, out)


def _print_document(graded: Sequence[Graded], output: Format) -> None:
    """Print reports in a format for programs, or complain where it does not take them: they have their exit codes."""
    try:
        _print(document(graded, output))
    except GradingError as error:
        _complain(error)


def _print(text: str) -> None:
    print(text, end="")  # noqa: T201 - data for programs
