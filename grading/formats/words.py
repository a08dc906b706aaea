"""What several formats say of a report, in plain text."""

from chaos.plain_text import plain
from grading.report import Report
from lab.result import CriterionResult


def details(criterion: CriterionResult) -> str:
    """Return the lines below a criterion's title: the reason first, the evidence next, the hint last."""
    moments = (f"At {moment.place}: {moment.text}" for moment in criterion.moments)
    named = [
        ("Seen" if criterion.passed else "Actual", criterion.actual),
        ("Expected", "" if criterion.passed else criterion.expected),
        *(("", moment) for moment in moments if not criterion.passed),
        ("Request", criterion.request),
        *(("Log", line) for line in criterion.log),
        ("Tried", criterion.tried),
        ("Hint", criterion.hint),
    ]
    return plain("\n".join(f"{name}: {text}" if name else text for name, text in named if text))


def title(criterion: CriterionResult) -> str:
    """Return a criterion's number and title."""
    return plain(f"{criterion.number} {criterion.title}")


def standing(criterion: CriterionResult) -> str:
    """Return a criterion's status, with whose fault it is that it was not judged."""
    if criterion.status == "not judged" and criterion.blame not in {None, "submission"}:
        return f"not judged ({criterion.blame})"
    return criterion.status


def summary(report: Report) -> str:
    """Return what stands above and below the criteria: the grade, what hinders it, and the next step."""
    lines = [report.tally if report.only else f"{report.total:g} of {report.max_points:g} points"]
    if report.grade:
        lines[0] += f": {report.grade.mention}"
        lines += report.grade.reasons
    if report.problem:
        lines.append(f"It could not be run: {report.problem}")
    if failure := report.control_failure:
        what = "does not work" if failure.started else "did not start"
        lines += [f"The service {what}: {failure.reason}", *failure.log]
    if report.next_step and not report.problem:
        lines.append(f"Next: {report.next_step}.")
    if not report.judged:
        lines.append(UNJUDGED)
    lines += report.notes
    if report.changes:
        lines.append(report.changes.sentence)
    if report.runtime_note:
        lines.append(report.runtime_note)
    return plain("\n".join(lines))


UNJUDGED = "Some verdicts could not be given, through no fault of the submission: grade it again."
