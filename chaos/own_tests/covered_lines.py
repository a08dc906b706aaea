"""The lines of a service that its tests have run: from files that a submission's process has written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from chaos.files import read_plain
from chaos.history import CoveredFile
from chaos.plain_text import encodable

REPORT_BYTES: Final = 4 * 2**20


class NotMeasuredError(Exception):
    """The lines that a submission's tests ran could not be counted; says why."""


@dataclass(slots=True)
class Lines:
    """The lines of a file that can run, and those of them that did not."""

    countable: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)

    def counted(self, file: str) -> CoveredFile:
        return CoveredFile(
            file=encodable(file), lines=len(self.countable), executed=len(self.countable - self.missed)
        )


def read_report(root: Path, report: Path) -> bytes:
    """Return what a report below `root` holds. Raises ValueError where it is missing, no plain file, or too large."""
    try:
        content = read_plain(root, report.relative_to(root), REPORT_BYTES)
    except OSError as error:
        raise ValueError(f"the report cannot be read ({error.strerror})") from None
    if content is None:
        raise ValueError("there is no report that could be read")
    return content


def parse_json(report: bytes) -> dict[str, Lines]:
    """Return the lines in a report of `python_coverage_report`, by file. Raises ValueError where it is none."""
    try:
        content = json.loads(report)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(content, dict):
        raise ValueError("it has another form")  # noqa: TRY004 - one kind of error for the caller
    return {file: _lines(value) for file, value in content.items()}


def _lines(value: object) -> Lines:
    match value:
        case [list() as countable, list() as missed] if all(
            isinstance(line, int) for line in (*countable, *missed)
        ):
            return Lines(set(countable), set(missed))
        case _:
            raise ValueError("it has another form")


def parse_lcov(report: bytes) -> dict[str, Lines]:
    """Return the lines in an LCOV report, by file. Raises ValueError where it is none.

    A file may be there more than once: a line that ran once has run.
    """
    found: dict[str, dict[int, bool]] = {}
    lines: dict[int, bool] = {}
    for row in report.decode("utf-8").splitlines():
        kind, _, value = row.strip().partition(":")
        if kind == "SF":
            lines = found.setdefault(PurePosixPath(value).as_posix(), {})
        elif kind == "DA":
            number, count = (int(one) for one in value.split(",")[:2])
            lines[number] = lines.get(number, False) or count > 0
    return {
        file: Lines(set(ran), {number for number, did in ran.items() if not did})
        for file, ran in found.items()
    }


def missing_from(found: Mapping[str, Lines], files: Mapping[str, str]) -> dict[str, Lines]:
    """Return the lines of files that are in no report, by their texts: none ran, and each that is not blank counts."""
    return {
        file: Lines(numbers, numbers)
        for file, text in files.items()
        if file not in found
        for numbers in [{number for number, line in enumerate(text.splitlines(), 1) if line.strip()}]
    }
