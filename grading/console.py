"""The consoles of the command lines, and how an error is told on one."""

import os
from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment

from chaos.plain_text import without_commands
from grading.errors import GradingError

PIPE_WIDTH = 120


class _ActionsConsole(Console):
    """A console whose lines GitHub Actions reads, and obeys where they are commands: a submission's log may hold some."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return without_commands(super()._render_buffer(buffer))


def make_console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr, of a width of its own where that is no terminal."""
    kind = _ActionsConsole if os.environ.get("GITHUB_ACTIONS") else Console
    console = kind(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_error(error: GradingError, console: Console) -> None:
    """Print what went wrong, and the last lines of output behind it."""
    console.print(error.message, style="red", markup=False)
    if error.detail:
        console.print(error.detail, style="dim", markup=False)
