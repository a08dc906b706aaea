"""Writes the table of criteria of each exercise into its page: `python -m exercises.pages`, with --check to only compare."""

import argparse
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from exercises.catalogue import NAMES, assessment
from lab.assessment import Assessment
from lab.exercise import RUBRIC, Criterion, Exercise
from lab.scoring import Scoring

PAGE = "README.md"
BEGIN = "<!-- criteria, generated from exercise.toml -->"
END = "<!-- end of criteria -->"


class PageError(Exception):
    """A page has no place for its table. The message says what to add."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages that differ, or name them with --check. Return 1 if --check finds one, or a page has no markers."""
    parser = argparse.ArgumentParser(prog="python -m exercises.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args(argv).check
    try:
        changed = [change for name in NAMES for change in differing(assessment(name))]
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in changed:
        if check:
            print(f"{path} differs from its {RUBRIC}; run `python -m exercises.pages`.", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(changed))


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
    columns = ["", "criterion", *([] if scoring.scheme == "levels" else ["points"]), "what is measured"]
    rows = [columns, ["---"] * len(columns)]
    for one in exercise.criteria:
        worth = [] if scoring.scheme == "levels" else [f"{_worth(one, exercise):g}"]
        rows.append([_number(one), one.title, *worth, one.measured])
    table = "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)
    return f"{_points(exercise, scoring)}\n\n{table}\n"


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


def _worth(criterion: Criterion, exercise: Exercise) -> float:
    return round(exercise.points * criterion.points / sum(one.points for one in exercise.criteria), 2)


def _number(criterion: Criterion) -> str:
    return f"{criterion.number} `*`" if criterion.essential else criterion.number


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
