"""What a class run shows while it goes on: a live table on a terminal, a line for each start and end elsewhere."""

import time
from collections import deque
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaos.plain_text import plain
from grading.classroom.grades import Grade
from grading.classroom.record import State
from lab.reading import excerpt

LATEST: Final = 12
"""Students at the end of the live table who have been graded last."""
STYLES: Final = {State.GRADED: "green", State.NOT_JUDGED: "yellow", State.NOT_FETCHED: "red"}


class Display(Protocol):
    """Shows who is being graded, and what came of it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def step(self, student: str, text: str) -> None: ...

    def ended(self, grade: Grade, *, unchanged: bool = False) -> None: ...


def display(console: Console, total: int) -> Display:
    """Return the display that fits a console, for so many students to be graded."""
    return LiveTable(console, total) if console.is_terminal else PlainLines(console, total)


def outcome(grade: Grade) -> str:
    """Return a grade in a line, without the student."""
    if grade.points is None:
        return f"{grade.state or 'not graded'}: {grade.remarks}"
    words = f"{grade.points:g} of {grade.max_points:g} points"
    words += f", {grade.mention}" if grade.mention else ""
    if grade.difference and grade.raw is not None:
        words += f", {grade.raw - grade.difference.points:+g} since run {grade.difference.run}"
    return f"{words} ({grade.remarks})" if grade.remarks else words


class PlainLines:
    """One line when a student's grading starts, and one when it ends."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._started: set[str] = set()
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def step(self, student: str, text: str) -> None:
        if student not in self._started:
            self._started.add(student)
            self._line(f"{student}: {text}")

    def ended(self, grade: Grade, *, unchanged: bool = False) -> None:
        self._done += 1
        told = "unchanged" if unchanged else outcome(grade)
        self._line(f"{grade.student.id}: {told} ({self._done} of {self._total})")

    def _line(self, text: str) -> None:
        elapsed = time.monotonic() - self._start
        text = " ".join(plain(text).split())
        self._console.print(f"[{elapsed:7.1f} s] {text}", markup=False, highlight=False, soft_wrap=True)


class LiveTable:
    """The students being graded with their steps, and the last ones that have been, redrawn in place."""

    def __init__(self, console: Console, total: int) -> None:
        self._total = total
        self._done = 0
        self._start = time.monotonic()
        self._running: dict[str, tuple[float, str]] = {}
        self._latest: deque[tuple[str, str, str]] = deque(maxlen=LATEST)
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.clear()
        self._live.stop()

    def step(self, student: str, text: str) -> None:
        began, _ = self._running.get(student, (time.monotonic(), ""))
        self._running[student] = began, text

    def ended(self, grade: Grade, *, unchanged: bool = False) -> None:
        self._running.pop(grade.student.id, None)
        self._done += 1
        style = STYLES.get(grade.state, "dim") if grade.state else "dim"
        self._latest.append((grade.student.id, "unchanged" if unchanged else outcome(grade), style))

    def _table(self) -> Table:
        now = time.monotonic()
        minutes, seconds = divmod(int(now - self._start), 60)
        table = Table(
            box=None, pad_edge=False, title=f"{self._done} of {self._total} students, {minutes}:{seconds:02d}"
        )
        table.title_justify = "left"
        table.add_column("student", no_wrap=True)
        table.add_column("", overflow="ellipsis", no_wrap=True)
        table.add_column("s", justify="right")
        for student, told, style in [*self._latest]:
            table.add_row(student, Text(excerpt(told, 200), style=style), "")
        for student, (began, text) in [*self._running.items()]:
            table.add_row(student, Text(excerpt(text, 200), style="blue"), f"{now - began:.0f}")
        return table
