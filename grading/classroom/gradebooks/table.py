"""Tables in CSV whose cells no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from chaos.plain_text import plain
from grading.classroom.delimiters import find_delimiter
from grading.errors import UsageError

MOST_BYTES: Final = 32 << 20
_FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What begins a formula for a spreadsheet, or (tab and line ends) is skipped by it before one."""

Row = Mapping[str, str]


def guard(text: str) -> str:
    """Return a cell of text that no spreadsheet takes for a formula: with a quote before it, if it begins like one."""
    text = plain(text.replace("\r", "\n"))
    begins = text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA
    return f"'{text}" if text and begins else text


def number(value: float | None) -> str:
    """Return a number as every course tool reads it, or an empty cell."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def as_number(text: str) -> float | None:
    """Return the number that a cell holds, if it is one; it may have a decimal comma."""
    try:
        return float(text.strip().replace(",", ".", 1))
    except ValueError:
        return None


def write(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a table; columns that a row lacks are empty. Cells of text have to be guarded already."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def read(path: Path, needed: Sequence[str], what: str, tool: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of a table that a course tool has exported.

    Raises UsageError if it cannot be read, or lacks a column of `needed`; `what` names it for people, with its `tool`.
    """
    again = f"export {what} of {tool} again"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is too large for {what} of {tool}.")
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(
            io.StringIO(text, newline=""), restkey="", restval="", delimiter=find_delimiter(text)
        )
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [{name: str(value) for name, value in row.items() if name} for row in reader]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); {again}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is no CSV in UTF-8 ({error}); {again}.") from None
    if missing := [name for name in needed if name not in columns]:
        raise UsageError(
            f"{path} has no column {missing[0]!r}; {again}, with the language of {tool} set to English, and give that file."
        )
    return columns, rows
