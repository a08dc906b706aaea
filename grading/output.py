"""What `--format` prints: one document made of the reports of one or more gradings."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from io import StringIO
from pathlib import Path

from rich.console import Console

from grading.errors import UsageError
from grading.formats import (
    autolab,
    check50,
    classroom50,
    github,
    gradescope,
    junit,
    markdown,
    prairielearn,
)
from grading.formats.reports import render as reports_as_json
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
    JUNIT = "junit"
    MARKDOWN = "markdown"
    GITHUB = "github"
    GRADESCOPE = "gradescope"
    PRAIRIELEARN = "prairielearn"
    CLASSROOM50 = "classroom50"
    CHECK50 = "check50"
    AUTOLAB = "autolab"


_FOR_ONE: dict[Format, Callable[[Report], str]] = {
    Format.JUNIT: junit.render,
    Format.GRADESCOPE: gradescope.render,
    Format.PRAIRIELEARN: prairielearn.render,
    Format.CLASSROOM50: classroom50.render,
    Format.CHECK50: check50.render,
    Format.AUTOLAB: autolab.render,
}
"""Formats of which a document holds one report, as an HTML page does."""
_FOR_WHOLE = frozenset({Format.GRADESCOPE, Format.PRAIRIELEARN, Format.CLASSROOM50, Format.AUTOLAB})
"""Formats that are a grade."""
_FOR_EACH: dict[Format, Callable[[Report], str]] = {
    Format.MARKDOWN: markdown.render,
    Format.GITHUB: github.render,
}


def check_use(output: Format, number: int, *, parts: bool = False) -> None:
    """Raise UsageError where so many reports do not fit into one document of a format, or it lacks what it needs.

    `parts` are reports on chosen criteria, without points.
    """
    if number > 1 and (output is Format.HTML or output in _FOR_ONE):
        raise UsageError(f"--format {output} takes one report, and here are {number}; name one of them.")
    if parts and output in _FOR_WHOLE:
        raise UsageError(
            f"--format {output} takes points, and chosen criteria bring none; grade whole exercises."
        )
    if output is Format.CLASSROOM50:
        classroom50.take_runner()


def document(graded: Sequence[Graded], output: Format) -> str:
    """Return the reports in a format. Raises UsageError where it does not take so many."""
    reports = [one.report for one in graded]
    check_use(output, len(reports), parts=any(one.only for one in reports))
    if output is Format.JSON:
        return reports_as_json(reports)
    if output is Format.TEXT:
        return "".join(map(_text, reports))
    if output is Format.HTML:
        return "".join(render_html(one.report, one.histories) for one in graded)
    render = _FOR_ONE.get(output) or _FOR_EACH[output]
    return "".join(map(render, reports))


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
