"""The report for people: the reason of a failure first, evidence next, the hint last."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grading.report import ControlFailure, Report
from lab.result import CriterionResult, ExerciseResult

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not judged": ("?", "yellow")}
LEVELS = {"complete": "green", "functional": "yellow", "partial": "yellow", "none": "red"}
MOMENTS = 3
NAME_WIDTH = 10


def render(report: Report, console: Console) -> None:
    """Print a report."""
    commit = f" @ {report.commit[:12]}" if report.commit else ""
    changed = " (with uncommitted changes)" if report.dirty else ""
    console.print(Text(f"\n{report.submission}{commit}{changed}", style="bold"))
    if report.problem:
        console.print(Text(report.problem, style="red"))
    if report.control_failure:
        console.print(render_control_failure(report.control_failure))
        if not any(report.untried(one) for exercise in report.exercises for one in exercise.criteria):
            console.print(Text("No criterion below was left out because of it.", style="dim"))
    for exercise in report.exercises:
        console.print(_exercise(exercise, report), crop=False)
    console.print(_total(report))


def render_control_failure(failure: ControlFailure) -> RenderableType:
    """Return why the service could not be put to the test, with its log."""
    what = "does not work" if failure.started else "did not start"
    lines: list[RenderableType] = [Text(f"The service {what}: {failure.reason}.", style="red")]
    if failure.answer:
        lines.append(Text(failure.answer))
    lines.append(Text("What it logged then:" if failure.started else "Its last lines:"))
    logged = failure.log or ("(nothing)",)
    return Group(*lines, *(Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in logged))


def _exercise(exercise: ExerciseResult, report: Report) -> RenderableType:
    head = Text(f"\nExercise {exercise.number}  {exercise.title}  ", style="bold")
    head.append(_standing(exercise, report), style=LEVELS[exercise.level])
    if report.problem:
        return head
    hidden = [one for one in exercise.criteria if report.untried(one)]
    shown = [one for one in exercise.criteria if one not in hidden]
    numbers = ", ".join(one.number for one in hidden)
    rest = [Text(f"Could not be tried, for the reason at the top: {numbers}", style="dim")] if hidden else []
    return Group(head, *map(_criterion, shown), *rest)


def _standing(exercise: ExerciseResult, report: Report) -> str:
    if report.only:
        return f"{sum(one.passed for one in exercise.criteria)} of {len(exercise.criteria)} passed"
    level = exercise.level if exercise.level != "none" else "no points"
    bonus = ", bonus" if exercise.bonus else ""
    return f"{exercise.points:g}/{exercise.max_points:g}{bonus}  {level}"


def _criterion(criterion: CriterionResult) -> RenderableType:
    mark, style = MARKS[criterion.status]
    number = Text.assemble(
        (mark, style), " ", (criterion.number + ("*" if criterion.essential else " "), "bold")
    )
    told = _table()
    told.add_row(number, criterion.title)
    return Group(told, *render_details(criterion))


def render_details(criterion: CriterionResult) -> list[RenderableType]:
    """Return what stands below a criterion's title."""
    _, style = MARKS[criterion.status]
    told = _table()
    for name, text, detail_style in _details(criterion, style):
        _add(told, name, text, detail_style)
    if criterion.status != "failed":
        return [told] if told.row_count else []
    rest = _table()
    for line in criterion.log:
        _add(rest, "log", line, "dim")
    _add(rest, "tried", criterion.tried, "dim")
    _add(rest, "hint", criterion.hint, "cyan")
    return [told, *_request(criterion.request), *([rest] if rest.row_count else [])]


def _table() -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=NAME_WIDTH)
    table.add_column(overflow="fold")
    return table


def _add(table: Table, name: str, text: str, style: str) -> None:
    if text:
        table.add_row(Text(f"{name:>{NAME_WIDTH}}", style="dim"), Text(text, style=style))


def _request(command: str) -> list[Text]:
    """Return a command on one line, however long it is: it is there to be copied."""
    name = (f"{'request':>{NAME_WIDTH}} ", "dim")
    return [Text.assemble(name, command, no_wrap=True, overflow="ignore")] if command else []


def _details(criterion: CriterionResult, style: str) -> list[tuple[str, str, str]]:
    if criterion.status == "passed":
        return [("seen", criterion.actual, "dim"), ("tried", criterion.tried, "dim")]
    if criterion.status == "not judged":
        whose = f" ({criterion.blame})" if criterion.blame != "submission" else ""
        return [("not judged", criterion.actual + whose, style)]
    moments = [("at", f"{moment.place}: {moment.text}", "dim") for moment in criterion.moments[:MOMENTS]]
    return [("actual", criterion.actual, style), ("expected", criterion.expected, ""), *moments]


def _total(report: Report) -> RenderableType:
    lines = [Text()]
    if report.bonus:
        bonus = f"{report.bonus.title} {report.bonus.points:g}/{report.bonus.max_points:g}"
        lacking = f"  {report.bonus.missing}" if report.bonus.missing else ""
        lines.append(Text.assemble((bonus, "bold"), (lacking, "dim")))
    total = report.tally if report.only else f"Total {report.total:g}/{report.max_points:g}"
    lines.append(Text(total, style="bold"))
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
        text = f"Run twice, because the first run left something open: {', '.join(report.repeated)}."
        lines.append(Text(text, style="dim"))
    lines += [Text(note, style="yellow") for note in report.notes]
    if report.runtime_note:
        lines.append(Text(report.runtime_note, style="yellow"))
    if report.left:
        text = f"Left running by the service after its exit, and ended: {'; '.join(report.left)}."
        lines.append(Text(text, style="yellow"))
    essential = "* essential · " if report.scheme == "levels" else ""
    if report.changes:
        lines.append(Text(report.changes.sentence))
    facts = f"{essential}seed {report.seed} · faults by {report.fault_proxy} · {report.seconds:.0f} s"
    return Group(*lines, Text(facts, style="dim"))
