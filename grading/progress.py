"""What is going on, while it goes on: a live table on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaos.plain_text import plain
from grading.run import State
from lab.experiment import Experiment

STYLES = {"waiting": "dim", "starting": "cyan", "running": "blue", "done": "green", "broken": "yellow"}


class Progress(Protocol):
    """Shows the steps of a run and the states of its experiments."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def announce(self, text: str) -> None: ...

    def update(self, experiment: Experiment, state: State) -> None: ...


def progress(console: Console) -> Progress:
    """Return the progress display that fits a console."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)


class PlainLines:
    """One line for each change, with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def announce(self, text: str) -> None:
        self._line(text)

    def update(self, experiment: Experiment, state: State) -> None:
        if state in {"running", "done", "broken"}:
            self._line(f"{experiment.name}: {state}")

    def _line(self, text: str) -> None:
        elapsed = time.monotonic() - self._start
        self._console.print(
            f"[{elapsed:6.1f} s] {plain(text)}", markup=False, highlight=False, soft_wrap=True
        )


class LiveTable:
    """A table of the experiments that is redrawn in place, and vanishes at the end."""

    def __init__(self, console: Console) -> None:
        self._start = time.monotonic()
        self._step = Text()
        self._states: dict[str, tuple[Experiment, State, float]] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def announce(self, text: str) -> None:
        self._step = Text(plain(text))  # names are no markup

    def update(self, experiment: Experiment, state: State) -> None:
        self._states[experiment.name] = (experiment, state, time.monotonic())

    def _table(self) -> Table:
        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        table.add_row(f"{now - self._start:.0f} s", self._step)
        for experiment, state, since in self._states.values():
            seconds = f"{now - since:.0f} s" if state in {"starting", "running"} else ""
            table.add_row(
                f"[{STYLES[state]}]{state}[/]", experiment.name, seconds, f"[dim]{experiment.description}[/]"
            )
        return table
