"""The command line of the local stack: `grading up`, `down`, `status`, `token` and `logs`."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from grading.errors import GradingError, MachineError, SubmissionError
from grading.stack import claim, control
from grading.stack.control import Part
from grading.stack.files import LogName, StackFiles
from grading.stack.ports import Ports

FOLLOW_SECONDS = 0.2
COLUMNS = (9, 23, 6)


def register(app: typer.Typer) -> None:
    """Add the stack's commands to the grader's command line."""
    for command in (up, down, status, token, logs):
        app.command()(command)


def up(
    repository: Annotated[
        str, typer.Argument(metavar="REPO", help="A path or git URL, as in `score`.")
    ] = ".",
    port: Annotated[int, typer.Option(help="Where the service listens.", min=1, max=65535)] = Ports().service,
) -> None:
    """Start a service, with stand-ins for its upstreams behind fault proxies, and leave it running.

    What runs is a copy of the repository as it is now: after a change, `down` and `up` again.
    """
    files = StackFiles()
    if running := claim.find(files.folder):
        typer.echo(f"A stack of {running.repository} is up, or coming up, since {running.started}.")
        raise typer.Exit(_show(files))
    try:
        control.up(repository, Ports(service=port), files, lambda text: typer.echo(text, err=True))
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    raise typer.Exit(_show(files))


def down() -> None:
    """End the stack: SIGTERM for the service and time to drain, then everything else."""
    try:
        said = control.down(StackFiles())
    except GradingError as error:
        raise typer.Exit(_complain(error)) from None
    typer.echo("No stack is up." if said is None else said)


def status() -> None:
    """Say what is up, where, and which faults are on: exit 0 when all is up, 1 when not."""
    raise typer.Exit(_show(StackFiles()))


def token() -> None:
    """Print an access token of the user admin."""
    try:
        typer.echo(control.token(StackFiles()))
    except GradingError as error:
        _complain(error)
        raise typer.Exit(1) from None


def logs(
    name: Annotated[
        LogName,
        typer.Argument(help="service: what it prints; calls: what reached its upstreams; stack: all else."),
    ] = "service",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the stack is down.")] = False,  # noqa: FBT002 - a flag on the command line
) -> None:
    """Print a log of the stack that is up, or of the last one."""
    files = StackFiles()
    if not files.log(name).exists():
        typer.echo("There is no log; start a stack with `grading up`.", err=True)
        raise typer.Exit(1)
    for text in _read(files, files.log(name), follow=follow):
        sys.stdout.write(text)
        sys.stdout.flush()


def _read(files: StackFiles, path: Path, *, follow: bool) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as log:
        running = follow
        while running:
            running = claim.find(files.folder) is not None
            yield log.read()
            time.sleep(FOLLOW_SECONDS if running else 0)
        yield log.read()


def _show(files: StackFiles) -> int:
    found = control.status(files)
    if found is None:
        typer.echo("No stack is up.")
        return 1
    record, parts = found
    typer.echo(f"{record.repository}, as it was at {record.started}")
    for part in parts:
        typer.echo(_row(part))
    typer.echo(f"Logs: `grading logs`, or the files in {files.folder}.")
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
