"""The report for people: the reason of a failure first, evidence next, the hint last."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grading.report import CriterionResult, ExerciseResult, Report

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not judged": ("?", "yellow")}
LEVELS = {"complete": "green", "functional": "yellow", "none": "red"}
MOMENTS = 3
NAME_WIDTH = 10


def render(report: Report, console: Console) -> None:
    """Print a report."""
    commit = f" @ {report.commit[:12]}" if report.commit else ""
    changed = " (with uncommitted changes)" if report.dirty else ""
    console.print(Text(f"\n{report.submission}{commit}{changed}", style="bold"))
    if report.problem:
        console.print(Text(report.problem, style="red"))
    if report.start_failure:
        console.print(Text(f"The service did not start: {report.start_failure.reason}.", style="red"))
        console.print("Its last lines:")
        for line in report.start_failure.log:
            console.print(Padding(Text(line, style="dim"), (0, 0, 0, 4)))
    for exercise in report.exercises:
        console.print(_exercise(exercise, brief=bool(report.problem or report.start_failure)))
    console.print(_total(report))


def _exercise(exercise: ExerciseResult, *, brief: bool) -> RenderableType:
    head = Text(f"\nExercise {exercise.number}  {exercise.title}  ", style="bold")
    level = exercise.level if exercise.level != "none" else "no points"
    head.append(f"{exercise.points:g}/{exercise.max_points}  {level}", style=LEVELS[exercise.level])
    return Group(head, *([] if brief else map(_criterion, exercise.criteria)))


def _criterion(criterion: CriterionResult) -> RenderableType:
    mark, style = MARKS[criterion.status]
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=NAME_WIDTH)
    table.add_column(overflow="fold")
    number = Text.assemble(
        (mark, style), " ", (criterion.number + ("*" if criterion.essential else " "), "bold")
    )
    table.add_row(number, criterion.title)
    for name, text, detail_style in _details(criterion, style):
        if text:
            table.add_row(Text(f"{name:>{NAME_WIDTH}}", style="dim"), Text(text, style=detail_style))
    return table


def _details(criterion: CriterionResult, style: str) -> list[tuple[str, str, str]]:
    if criterion.status == "passed":
        return [("seen", criterion.actual, "dim")]
    if criterion.status == "not judged":
        whose = f" ({criterion.blame})" if criterion.blame != "submission" else ""
        return [("not judged", criterion.actual + whose, style)]
    moments = [
        ("at", f"{moment.t:.2f} s in '{moment.experiment}', event {moment.event}: {moment.text}", "dim")
        for moment in criterion.moments[:MOMENTS]
    ]
    return [
        ("actual", criterion.actual, style),
        ("expected", criterion.expected, ""),
        *moments,
        ("hint", criterion.hint, "cyan"),
    ]


def _total(report: Report) -> RenderableType:
    lines = [Text()]
    if report.documentation:
        bonus = f"Documentation {report.documentation.points:g}/{report.documentation.max_points}"
        lacking = f"  {report.documentation.missing}" if report.documentation.missing else ""
        lines.append(Text.assemble((bonus, "bold"), (lacking, "dim")))
    total = report.grade.total if report.grade else report.points
    lines.append(Text(f"Total {total:g}/{report.max_points}", style="bold"))
    if report.grade:
        style = "red" if report.grade.reasons else "green"
        why = f": {'; '.join(report.grade.reasons)}" if report.grade.reasons else ""
        lines.append(Text(f"{report.grade.mention.capitalize()}{why}", style=style))
    if report.next_step and not report.problem:
        lines.append(Text(f"Next: {report.next_step}.", style="cyan"))
    if not report.judged:
        text = "Some verdicts could not be given, through no fault of the submission: grade it again."
        lines.append(Text(text, style="yellow"))
    if report.repeated:
        text = f"Run again, for the machine was too busy the first time: {', '.join(report.repeated)}."
        lines.append(Text(text, style="dim"))
    facts = f"* essential · seed {report.seed} · faults by {report.fault_proxy} · {report.seconds:.0f} s"
    return Group(*lines, Text(facts, style="dim"))
