"""Markdown: for a job summary, a pull request or a page. No text of a submission is markup in it, or a link."""

import re
from collections.abc import Iterator

from chaos.plain_text import plain
from grading.formats.words import details, standing, summary, title
from grading.report import Report
from lab.result import CriterionResult, ExerciseResult

MARKS = {"passed": "✅", "failed": "❌", "not judged": "❔"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&@$]|(?<=\w):(?=//)|(?<=www)\.)")
_BLOCK = re.compile(r"^(\d*)([-+=.)])(?=[\s=+-]|$)")
"""What makes a list or a heading at the beginning of a line."""


def render(report: Report) -> str:
    """Return a report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def escaped(text: str) -> str:
    """Return a text on one line that Markdown shows as it is."""
    line = " ".join(plain(text).split())
    return _BLOCK.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", line))


def _lines(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.submission)}"
    yield ""
    for line in summary(report).splitlines():
        yield from (escaped(line), "")
    yield "| Exercise | Points | Level | Criteria passed |"
    yield "|---|---|---|---|"
    for exercise in report.exercises:
        passed = sum(one.passed for one in exercise.criteria)
        name = escaped(f"{exercise.number} {exercise.title}")
        points = "" if report.only else f"{exercise.points:g}/{exercise.max_points:g}"
        level = "" if report.only else "no points" if exercise.level == "none" else exercise.level
        yield f"| {name} | {points} | {level} | {passed} of {len(exercise.criteria)} |"
    if report.bonus:
        points = f"{report.bonus.points:g}/{report.bonus.max_points:g}"
        yield f"| {escaped(report.bonus.title)} | {points} | bonus | {escaped(report.bonus.missing)} |"
    for exercise in report.exercises:
        yield from _exercise(exercise)


def _exercise(exercise: ExerciseResult) -> Iterator[str]:
    yield ""
    yield f"## Exercise {exercise.number} {escaped(exercise.title)}"
    yield ""
    for criterion in exercise.criteria:
        yield from _criterion(criterion)


def _criterion(criterion: CriterionResult) -> Iterator[str]:
    yield f"- {MARKS[criterion.status]} **{escaped(title(criterion))}**: {standing(criterion)}"
    if not criterion.passed:
        yield from (f"  - {escaped(line)}" for line in details(criterion).splitlines())
