"""GitHub Actions: annotations by workflow commands, one for each criterion that did not pass, and one for the grade.

GitHub shows the first ten errors and ten warnings of a step; the job summary is `--format markdown`.
"""

from collections.abc import Iterator

from chaos.plain_text import plain
from grading.formats.words import details, summary, title
from grading.report import Report


def render(report: Report) -> str:
    """Return the workflow commands, one a line."""
    return "".join(f"{line}\n" for line in _commands(report))


def _commands(report: Report) -> Iterator[str]:
    for exercise in report.exercises:
        for criterion in exercise.criteria:
            if criterion.status == "failed":
                yield _command("error", title(criterion), details(criterion))
            elif criterion.status == "not judged":
                yield _command("warning", title(criterion), details(criterion))
    kind = "notice" if report.passed else "error"
    yield _command(kind, report.submission, summary(report))


def _command(kind: str, heading: str, message: str) -> str:
    """Return one command. Nothing in its texts can end it and begin another."""
    name = _escaped(heading).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={name}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
