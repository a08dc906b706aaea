"""The rubric for people: what is asked, and what it is worth."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.scoring import Scoring


def explain(assessment: Assessment, exercises: Sequence[Exercise], console: Console) -> None:
    """Print the rubric of some exercises of an assessment; of more than one, with the rules for the total."""
    for exercise in exercises:
        _explain_one(exercise, assessment.scoring, console)
    if len(exercises) > 1:
        console.print(Text(f"\n{_rules(assessment)}"))


def _explain_one(exercise: Exercise, scoring: Scoring, console: Console) -> None:
    marks = f"{', core' if exercise.core else ''}{', bonus' if exercise.bonus else ''}"
    heading = f"\nExercise {exercise.number}  {exercise.title}  ({exercise.points:g} points{marks})"
    console.print(Text(heading, style="bold"))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=6, justify="right")
    table.add_column(overflow="fold")
    for criterion in exercise.criteria:
        worth = "" if scoring.scheme == "levels" else f" ({criterion.points:g})"
        table.add_row(
            f"{criterion.number}{'*' if criterion.essential else ' '}", Text(criterion.title + worth)
        )
    console.print(table)


def _rules(assessment: Assessment) -> str:
    scoring, bonus = assessment.scoring, assessment.bonus_rule
    extra = f" {bonus.file} brings at most {bonus.points:g} more." if bonus else ""
    total = sum(one.points for one in assessment.exercises if not one.bonus)
    mentions = ", ".join(
        f"{name} from {least:g}" for name, least in sorted(scoring.mentions.items(), key=lambda one: one[1])
    )
    core = ", ".join(str(one.number) for one in assessment.exercises if one.core)
    needed = (
        f"; to pass, {scoring.core_complete} of the core exercises {core} have to be complete"
        if scoring.core_complete
        else ""
    )
    return f"{scoring.rules}{extra} Of {total:g} points: {mentions}{needed}."
