"""Writes the table of criteria of each exercise into its page: `python -m exercises.pages`, with --check to only compare."""

import argparse
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from exercises.catalogue import FOLDER, NAMES, assessment
from lab.assessment import Assessment
from lab.exercise import RUBRIC, Criterion, Exercise
from lab.scoring import Scoring

PAGE = "README.md"
BEGIN = "<!-- criteria, generated from exercise.toml -->"
END = "<!-- end of criteria -->"
_NAME = re.compile(r"[\w./]*_[\w./]*\w")
"""A variable, field or file in a title: `__init__.py` as plain Markdown would come out in bold type."""


class PageError(Exception):
    """A page has no place for its table. The message says what to add."""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the pages that differ. Exit with 1 if --check finds one, or if a page has no place for its table."""
    parser = argparse.ArgumentParser(prog="python -m exercises.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args(argv).check
    try:
        changed = dict(change for name in NAMES for change in differing(assessment(name)))
    except PageError as error:
        parser.exit(1, f"{error}\n")
    if check and changed:
        listed = ", ".join(str(path.relative_to(FOLDER.parent)) for path in changed)
        parser.exit(1, f"Run `python -m exercises.pages`; these pages differ from {RUBRIC}: {listed}\n")
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")


def differing(assessment: Assessment) -> Iterator[tuple[Path, str]]:
    """Yield each page whose table is not that of its exercise, with the text that it should have.

    Raises PageError if a page has no place for the table.
    """
    exercises = {exercise.number: exercise for exercise in assessment.exercises}
    for rubric in sorted(assessment.folder.glob(f"*/{RUBRIC}")):
        number = tomllib.loads(rubric.read_text(encoding="utf-8"))["number"]
        path = rubric.with_name(PAGE)
        text = path.read_text(encoding="utf-8")
        before, marker, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not marker or not end:
            raise PageError(f"{path} has no place for its criteria; add the lines {BEGIN} and {END}.")
        written = f"{before}{BEGIN}\n{criteria(exercises[number], assessment.scoring)}{END}{after}"
        if written != text:
            yield path, written


def criteria(exercise: Exercise, scoring: Scoring) -> str:
    """Return an exercise's points and its table of criteria in Markdown."""
    columns = {
        "": [_number(one) for one in exercise.criteria],
        "criterion": [_NAME.sub(r"`\g<0>`", one.title) for one in exercise.criteria],
        "points": [] if scoring.scheme == "levels" else [_worth(one, exercise) for one in exercise.criteria],
        "what is measured": [one.measured for one in exercise.criteria],
    }
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    lines = [_row(shown), "|---" * len(shown) + "|", *map(_row, zip(*shown.values(), strict=True))]
    return "\n".join([_points(exercise, scoring), "", *lines, ""])


def _points(exercise: Exercise, scoring: Scoring) -> str:
    if scoring.scheme == "levels":
        core = ", core" if exercise.core else ""
        share = exercise.points * scoring.functional
        return (
            f"**{exercise.points:g} points{core}.** You get all of them if every criterion passes, {share:g} if every "
            "essential criterion (`*`) passes, and otherwise none."
        )
    extra = " on top of the total" if exercise.bonus else ""
    return f"**{exercise.points:g} points{extra}.** Each criterion that passes brings its own points."


def _number(criterion: Criterion) -> str:
    return f"{criterion.number} `*`" if criterion.essential else criterion.number


def _worth(criterion: Criterion, exercise: Exercise) -> str:
    share = criterion.points / sum(one.points for one in exercise.criteria)
    return f"{round(exercise.points * share, 2):g}"


def _row(cells: Iterable[str]) -> str:
    return "".join(f"| {_cell(cell)} " if cell else "| " for cell in cells) + "|"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
