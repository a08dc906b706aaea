"""The rubric for people: what is asked, and what it is worth."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grading.documentation import FILE, MAX_POINTS
from grading.grade import CORE_NEEDED, THRESHOLDS
from lab.exercise import Exercise


def explain(exercises: Sequence[Exercise], console: Console) -> None:
    """Print the rubric of some exercises; of more than one, with the rules for the total."""
    for exercise in exercises:
        _explain_one(exercise, console)
    if len(exercises) > 1:
        _explain_total(exercises, console)


def _explain_one(exercise: Exercise, console: Console) -> None:
    core = ", core" if exercise.core else ""
    console.print(
        Text(
            f"\nExercise {exercise.number}  {exercise.title}  ({exercise.points} points{core})", style="bold"
        )
    )
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=6, justify="right")
    table.add_column(overflow="fold")
    for criterion in exercise.criteria:
        table.add_row(f"{criterion.number}{'*' if criterion.essential else ' '}", criterion.title)
    console.print(table)


def _explain_total(exercises: Sequence[Exercise], console: Console) -> None:
    core = ", ".join(str(one.number) for one in exercises if one.core)
    thresholds = ", ".join(f"{name} from {least:g}" for name, least in reversed(THRESHOLDS.items()))
    console.print(
        Text(
            f"\nAn exercise is complete (all points) when every criterion passes, functional (half of them) when every "
            f"essential one (*) does, else worth nothing. {FILE} brings at most {MAX_POINTS} more. Of "
            f"{sum(one.points for one in exercises)} points: {thresholds}; to pass, {CORE_NEEDED} of the core exercises "
            f"{core} have to be complete."
        )
    )
