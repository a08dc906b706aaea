"""The report for people: the reason of a failure first, evidence next, the hint last."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from grading.report import CriterionResult, ExerciseResult, Report

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not judged": ("?", "yellow")}
LEVELS = {"complete": "green", "functional": "yellow", "none": "red"}


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
        _render_exercise(exercise, console, brief=bool(report.problem))
    _render_total(report, console)


def _render_exercise(exercise: ExerciseResult, console: Console, *, brief: bool) -> None:
    head = Text(f"\nExercise {exercise.number}  {exercise.title}  ", style="bold")
    head.append(f"{exercise.points:g}/{exercise.max_points}", style=LEVELS[exercise.level])
    head.append(f"  {exercise.level}" if exercise.level != "none" else "", style=LEVELS[exercise.level])
    console.print(head)
    if brief:
        return
    for criterion in exercise.criteria:
        _render_criterion(criterion, console)


def _render_criterion(criterion: CriterionResult, console: Console) -> None:
    mark, style = MARKS[criterion.status]
    star = "*" if criterion.essential else " "
    line = Text(f"  {mark} ", style=style)
    line.append(f"{criterion.number}{star} ", style="bold")
    line.append(criterion.title)
    if criterion.status == "not judged":
        line.append(f"  not judged ({criterion.blame})", style=style)
    console.print(line)
    if criterion.status == "passed":
        _detail(console, "seen", criterion.actual, "dim")
        return
    if criterion.status == "not judged":
        _detail(console, "because", criterion.actual, style)
        return
    _detail(console, "actual", criterion.actual, style)
    _detail(console, "expected", criterion.expected, "")
    for moment in criterion.moments[:3]:
        _detail(
            console,
            "at",
            f"{moment.t:.2f} s in '{moment.experiment}' (event {moment.event}): {moment.text}",
            "dim",
        )
    _detail(console, "hint", criterion.hint, "cyan")


def _detail(console: Console, name: str, text: str, style: str) -> None:
    if text:
        body = Text(f"{name:>8}  ", style="dim")
        body.append(text, style=style)
        console.print(Padding(body, (0, 0, 0, 6)))


def _render_total(report: Report, console: Console) -> None:
    total = Text(f"\nTotal {report.points:g}/{report.max_points}", style="bold")
    console.print(total)
    if not report.judged:
        console.print(
            Text(
                "Some verdicts could not be given, through no fault of the submission: grade it again.",
                style="yellow",
            )
        )
    console.print(
        Text(
            f"* essential · seed {report.seed} · faults by {report.fault_proxy} · {report.seconds:.0f} s",
            style="dim",
        )
    )
