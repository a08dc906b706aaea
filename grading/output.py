"""What `--format` prints: one document made of the reports of one or more gradings."""

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from io import StringIO
from pathlib import Path

from rich.console import Console

from grading.errors import UsageError
from grading.html import render_html
from grading.render_text import render as render_text
from grading.report import Report
from grading.score import Graded

WIDTH = 120
"""Characters of a line of text that does not go to a terminal."""


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


_ONE_REPORT: dict[Format, Callable[[Graded], str]] = {
    Format.HTML: lambda graded: render_html(graded.report, graded.histories),
}
"""Formats of which a document holds one report."""


def check_number(output: Format, number: int) -> None:
    """Raise UsageError where so many reports do not fit into one document of a format."""
    if number > 1 and output in _ONE_REPORT:
        raise UsageError(f"--format {output} takes one report, and here are {number}; name one of them.")


def document(graded: Sequence[Graded], output: Format) -> str:
    """Return the reports in a format. Raises UsageError where it does not take so many."""
    check_number(output, len(graded))
    reports = [one.report for one in graded]
    if output is Format.JSON:
        return _json(reports)
    if output is Format.TEXT:
        return "".join(map(_text, reports))
    return "".join(_ONE_REPORT[output](one) for one in graded)


def write(path: Path, text: str) -> None:
    """Write a document to a file. Raises UsageError where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); choose another --out.") from error


def _text(report: Report) -> str:
    stream = StringIO()
    render_text(report, Console(file=stream, width=WIDTH, highlight=False))
    return stream.getvalue()


def _json(reports: Sequence[Report]) -> str:
    dumped = [
        {
            **report.model_dump(mode="json"),
            "points": report.points,
            "max_points": report.max_points,
            "judged": report.judged,
        }
        for report in reports
    ]
    return json.dumps(dumped if len(dumped) != 1 else dumped[0], indent=2, ensure_ascii=False) + "\n"
