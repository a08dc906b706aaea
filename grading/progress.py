"""What is going on, while it goes on: a live table on a terminal, plain lines elsewhere. Verdicts as they come."""

import math
from collections.abc import Sequence
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaos.plain_text import plain
from grading.render_text import MARKS, render_control_failure, render_details
from grading.report import ControlFailure
from grading.run import State
from grading.standing import ExerciseStanding, Standing
from lab.exercise import Exercise
from lab.experiment import Experiment
from lab.result import CriterionResult

SECONDS_STEP = 5
"""What is left is an estimate, and does not look like more."""


class Progress(Protocol):
    """Shows the steps of a run, how far it has come, and its verdicts."""

    @property
    def shows_verdicts(self) -> bool:
        """Whether verdicts are to be told while the run goes on."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def announce(self, text: str) -> None:
        """Show what is being done."""

    def begin(self, exercises: Sequence[Exercise]) -> None:
        """Take what will be judged."""

    def update(self, experiment: Experiment, state: State) -> None:
        """Take what an experiment does from now on."""

    def tell(self, criterion: CriterionResult) -> None:
        """Show a verdict: a pass in one line, a failure with its reasons."""

    def tell_untried(self, criterion: CriterionResult) -> None:
        """Show that a criterion could not be tried, for the reason that `explain` has shown."""

    def postpone(self, criterion: CriterionResult) -> None:
        """Show that a criterion could not be judged in the first run."""

    def explain(self, failure: ControlFailure) -> None:
        """Show why the service could not be put to the test."""


def progress(console: Console) -> Progress:
    """Return the progress display that fits a console."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)


class Silent:
    """Shows nothing; others show some of it."""

    shows_verdicts = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def announce(self, text: str) -> None:
        pass

    def begin(self, exercises: Sequence[Exercise]) -> None:
        pass

    def update(self, experiment: Experiment, state: State) -> None:
        pass

    def tell(self, criterion: CriterionResult) -> None:
        pass

    def tell_untried(self, criterion: CriterionResult) -> None:
        pass

    def postpone(self, criterion: CriterionResult) -> None:
        pass

    def explain(self, failure: ControlFailure) -> None:
        pass


class _Verdicts:
    """Prints verdicts, each with the seconds since the run began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._standing = Standing()

    @property
    def shows_verdicts(self) -> bool:
        return not self._console.quiet

    def begin(self, exercises: Sequence[Exercise]) -> None:
        self._standing.begin(exercises)

    def tell(self, criterion: CriterionResult) -> None:
        self._standing.tell(criterion.number, criterion.status)
        self._print(self._head(criterion))
        if criterion.status != "passed":
            self._print(*render_details(criterion))

    def tell_untried(self, criterion: CriterionResult) -> None:
        self._standing.tell(criterion.number, criterion.status)
        self._print(self._head(criterion, " (could not be tried)"))

    def postpone(self, criterion: CriterionResult) -> None:
        self._print(self._head(criterion, f" (to be run again: {criterion.actual})"))

    def explain(self, failure: ControlFailure) -> None:
        head = Text.assemble(self._clock(), " Nothing more can be tried of what needs a service that works:")
        self._print(head, render_control_failure(failure))

    def _head(self, criterion: CriterionResult, more: str = "") -> Text:
        mark, style = MARKS[criterion.status]
        number = criterion.number + ("*" if criterion.essential else "")
        return Text.assemble(
            self._clock(),
            " ",
            (mark, style),
            " ",
            (number, "bold"),
            f" {plain(criterion.title)}{plain(more)}",
        )

    def _clock(self) -> Text:
        return Text(f"[{self._standing.elapsed:6.1f} s]", style="dim")

    def _print(self, *parts: RenderableType) -> None:
        if parts:
            self._console.print(Group(*parts), highlight=False, crop=False)


class PlainLines(_Verdicts):
    """One line for each change, with the seconds since the start."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def announce(self, text: str) -> None:
        self._line(text)

    def update(self, experiment: Experiment, state: State) -> None:
        self._standing.update(experiment, state)
        exercise = self._standing.exercise_of(experiment)
        if exercise and state in {"running", "done", "broken"}:
            what = f"running '{experiment.name}'" if state == "running" else f"'{experiment.name}' is {state}"
            done = f"{exercise.experiments_done} of {exercise.experiments} experiments done"
            self._line(f"exercise {exercise.exercise.number}: {what}, {done}; {_summary(self._standing)}")

    def _line(self, text: str) -> None:
        self._console.print(f"{self._clock()} {plain(text)}", markup=False, highlight=False, soft_wrap=True)


class LiveTable(_Verdicts):
    """A table of the exercises that is redrawn in place below the verdicts, and vanishes at the end."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._step = Text()
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def announce(self, text: str) -> None:
        self._step = Text(plain(text))  # names are no markup

    def update(self, experiment: Experiment, state: State) -> None:
        self._standing.update(experiment, state)

    def _table(self) -> RenderableType:
        step = Text.assemble(self._clock(), " ", self._step)
        exercises = self._standing.exercises
        if not exercises:
            return step
        table = Table.grid(padding=(0, 2))
        for one in exercises:
            table.add_row(*_row(one))
        return Group(step, table, Text(_summary(self._standing)))


def _row(one: ExerciseStanding) -> tuple[str, Text, str, Text, Text]:
    marks = Text()
    for status, (mark, style) in MARKS.items():
        if number := one.statuses.count(status):
            marks.append(f"{mark} {number}  ", style=style)
    if one.is_running:
        state = Text(f"running, {_left(one.seconds_left)}", style="blue")
    elif one.experiments_done == one.experiments:
        state = Text("done", style="green")
    else:
        state = Text("waiting", style="dim")
    name = Text(plain(one.exercise.title))
    return f"Exercise {one.exercise.number}", name, f"{len(one.statuses)} of {one.criteria}", marks, state


def _summary(standing: Standing) -> str:
    judged = f"{standing.judged} of {standing.criteria} criteria judged"
    seconds = standing.seconds_left
    return judged if seconds is None else f"{judged}, {_left(seconds)}"


def _left(seconds: float) -> str:
    return f"about {math.ceil(seconds / SECONDS_STEP) * SECONDS_STEP} s left" if seconds else "nearly done"
