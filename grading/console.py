"""The consoles of the command lines, and how an error is told on one."""

from rich.console import Console

from grading.errors import GradingError

PIPE_WIDTH = 120


def make_console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr, of a width of its own where that is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_error(error: GradingError, console: Console) -> None:
    """Print what went wrong, and the last lines of output behind it."""
    console.print(error.message, style="red", markup=False)
    if error.detail:
        console.print(error.detail, style="dim", markup=False)
