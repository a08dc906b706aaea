"""The command line of the stack for tests by hand, in containers or as processes: `grading up`, `down`, `status`, `token` and `logs`."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from chaos.contract import Contract
from grading import start
from grading.errors import GradingError, MachineError, SubmissionError, UsageError
from grading.stack import claim, compose, control
from grading.stack.compose import ComposeStack
from grading.stack.files import LogName, StackFiles
from grading.stack.parts import Part
from grading.stack.ports import Ports
from grading.submission import Submission
from lab.assessment import Assessment

FOLLOW_SECONDS = 0.2
COLUMNS = (11, 23, 6)


def register(app: typer.Typer) -> None:
    """Add the stack's commands to the grader's command line, whose context loads the assessment whose service they start."""
    for command in (up, down, status, token, logs):
        app.command()(command)


def up(
    ctx: typer.Context,
    repository: Annotated[
        str, typer.Argument(metavar="REPO", help="Folder or git URL, as for `score`.")
    ] = ".",
    port: Annotated[
        int | None, typer.Option(help=f"Port of the service. [default: {Ports().service}]", min=1, max=65535)
    ] = None,
    in_containers: Annotated[
        bool | None,
        typer.Option(
            "--compose/--local",
            help="In containers with the real upstreams, or as processes with stand-ins. [default: containers, if REPO"
            " has the stack's compose file and a Docker engine answers]",
        ),
    ] = None,
    assessment: Annotated[
        str | None,
        typer.Option(
            "--assessment",
            "-a",
            help="The assessment whose upstreams to start, instead of the one that REPO names.",
        ),
    ] = None,
) -> None:
    """Start a service with its upstreams behind fault proxies, and leave it running.

    It runs the repository as it is now. After a change, run `down` and `up` again.
    """
    files = StackFiles()
    control.let_end(files)
    if claim.find(files.folder) or _containers(files):
        typer.echo("A stack is up, or coming up, already.")
        raise typer.Exit(_show(files))
    folder = Path(repository).expanduser()
    if in_containers is None:
        in_containers = compose.usable(folder)
    try:
        contract = _contract(ctx.obj, folder, assessment)
        if in_containers:
            _tell(compose.up(folder, port, contract))
        else:
            control.up(repository, contract, Ports.usual(contract, port), files, _tell)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    raise typer.Exit(_show(files))


def _contract(find: Callable[..., Assessment], folder: Path, name: str | None) -> Contract:
    """Return the contract of the assessment of a name, of that which a folder names, or else of the usual one."""
    if name is None and folder.is_dir():
        name = start.named_assessment(Submission(str(folder), folder.name, folder))
    try:
        return (find(name) if name else find()).contract
    except KeyError:
        raise UsageError(f"There is no assessment '{name}'.") from None


def down() -> None:
    """Stop the stack: first the service, by SIGTERM and with time to drain, then the rest."""
    files = StackFiles()
    try:
        containers = _containers(files)
        said = compose.down(containers) if containers else control.down(files)
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    typer.echo("No stack is up." if said is None else said)


def status() -> None:
    """Show what is up, where, and with which faults. Exit code: 0 if everything is up, else 1."""
    raise typer.Exit(_show(StackFiles()))


def token(ctx: typer.Context) -> None:
    """Print an access token of the service's first user."""
    files = StackFiles()
    try:
        containers = _containers(files)
        typer.echo(compose.token(containers, ctx.obj().contract) if containers else control.token(files))
    except GradingError as error:
        _complain(error)
        raise typer.Exit(1) from None


def logs(
    name: Annotated[
        LogName,
        typer.Argument(
            help="service: its output; calls: requests that reached its upstreams; stack: everything else."
        ),
    ] = "service",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log to its end.")] = False,  # noqa: FBT002 - a flag on the command line
) -> None:
    """Print a log of the stack that is up, or of the last one."""
    files = StackFiles()
    containers = None if claim.find(files.folder) else compose.find()
    if containers and (containers.running or not files.log(name).exists()):
        raise typer.Exit(compose.logs(containers, name, follow=follow))
    if not files.log(name).exists():
        typer.echo("There is no log; start a stack with `grading up`.", err=True)
        raise typer.Exit(1)
    for text in _read(files, files.log(name), follow=follow):
        sys.stdout.write(text)
        sys.stdout.flush()


def _containers(files: StackFiles) -> ComposeStack | None:
    """The stack in containers, where that is up and no local one is."""
    found = None if claim.find(files.folder) else compose.find()
    return found if found and found.running else None


def _tell(text: str | None) -> None:
    if text:
        typer.echo(text, err=True)


def _read(files: StackFiles, path: Path, *, follow: bool) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as log:
        running = follow
        while running:
            running = claim.find(files.folder) is not None
            yield log.read()
            time.sleep(FOLLOW_SECONDS if running else 0)
        yield log.read()


def _show(files: StackFiles) -> int:
    if containers := _containers(files):
        return _list(f"{containers.folder}, in containers", compose.status(containers))
    found = control.status(files)
    if found is None:
        typer.echo("No stack is up.")
        return 1
    record, parts = found
    code = _list(f"{record.repository}, as it was at {record.started}", parts)
    typer.echo(f"Logs: `grading logs`, or the files in {files.folder}.")
    return code


def _list(title: str, parts: Sequence[Part]) -> int:
    typer.echo(title)
    for part in parts:
        typer.echo(_row(part))
    return 0 if all(part.up for part in parts) else 1


def _row(part: Part) -> str:
    cells = (part.name, part.address, "up" if part.up else "down")
    return "".join(f"{cell:{width}}" for cell, width in zip(cells, COLUMNS, strict=True)) + part.note


def _complain(error: GradingError) -> int:
    typer.echo(error.message, err=True)
    if error.detail:
        typer.echo(error.detail, err=True)
    if isinstance(error, SubmissionError):
        return 1
    return 3 if isinstance(error, MachineError) else 2
