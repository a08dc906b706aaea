"""The roster: who is in the class, and where their submissions are. A CSV file with a header, or a TOML file.

    id,name,repository,commit,deadline,email          deadline = 2026-12-01T23:59:00+01:00
    s1,Ada,https://example.org/ada/fork.git,,,        [late]
                                                      points_per_day = 5
                                                      cap = 20
                                                      [[student]]
                                                      id = "s1"
                                                      ...

Everything wrong with it is told at once, each row with its line.
"""

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from math import ceil
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chaos.plain_text import plain
from grading.classroom.delimiters import find_delimiter
from grading.errors import UsageError
from grading.submission import is_url
from lab.reading import excerpt

COLUMNS: Final = ("id", "name", "repository", "commit", "deadline", "email")
REQUIRED: Final = ("id", "name", "repository")
MOST_BYTES: Final = 16 << 20
MOST_PROBLEMS: Final = 40
"""Problems that one message lists."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_COMMIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_HEADER = re.compile(r"^[ \t]*\[\[\s*student\s*\]\]", re.MULTILINE)


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LateRule(Model):
    """What a late submission loses.

    Each day that has begun since the deadline costs `points_per_day`, and all of them `cap` at most. Commits later than
    `days` days are not looked at; None for no such limit.
    """

    points_per_day: float = Field(ge=0, allow_inf_nan=False)
    cap: float = Field(ge=0, allow_inf_nan=False)
    days: int | None = Field(default=None, ge=0)

    def penalty(self, late: timedelta) -> float:
        """Return the points that a submission loses that is so late; 0 for one in time."""
        days = max(0, ceil(late / timedelta(days=1)))
        return min(self.cap, days * self.points_per_day)


class Student(Model):
    """One row. `repository` is a folder or a git URL, `deadline` has a time zone."""

    id: str
    name: str
    repository: str
    commit: str | None = None
    deadline: datetime | None = None
    email: str = ""

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError(
                f"the id {excerpt(value, 40)!r} must begin with a letter or digit and have up to 64 letters, digits, or . _ @ -"
            )
        return value

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        name = " ".join(plain(value).split())
        if not name:
            raise ValueError("the name is empty")
        return name

    @field_validator("repository")
    @classmethod
    def _check_repository(cls, value: str) -> str:
        if not value:
            raise ValueError("the repository is empty")
        if value.startswith("-") or plain(value) != value:
            raise ValueError(f"the repository {excerpt(value, 60)!r} is neither a folder nor a git URL")
        return value

    @field_validator("commit")
    @classmethod
    def _check_commit(cls, value: str | None) -> str | None:
        if value is not None and not _COMMIT.fullmatch(value):
            raise ValueError(f"{excerpt(value, 60)!r} is no commit, branch or tag")
        return value

    @field_validator("deadline", mode="before")
    @classmethod
    def _read_deadline(cls, value: Any) -> Any:
        return None if value is None else moment(value)

    @field_validator("email")
    @classmethod
    def _check_email(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise ValueError(f"{excerpt(value, 60)!r} is no e-mail address")
        return value


@dataclass(frozen=True, slots=True)
class Roster:
    """A class. `remarks` tell what of the file has been ignored."""

    students: tuple[Student, ...]
    late: LateRule | None = None
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Findings:
    """The students of a file with their places in it, and what is wrong with the others."""

    students: list[Student] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def moment(value: Any) -> datetime:
    """Return a point in time with its zone: the machine's where none is given, and the end of the day for a date alone.

    Raises ValueError where it is no time.
    """
    if isinstance(value, str):
        try:
            value = (
                date.fromisoformat(value)
                if len(value) == len("2026-12-01")
                else datetime.fromisoformat(value)
            )
        except ValueError:
            raise ValueError(
                f"{excerpt(value, 40)!r} is no time; write it as 2026-12-01T23:59:00+01:00"
            ) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(23, 59, 59))
    if not isinstance(value, datetime):
        raise ValueError(f"{excerpt(str(value), 40)!r} is no time; write it as 2026-12-01T23:59:00+01:00")  # noqa: TRY004 - told with the row
    return value if value.tzinfo else value.astimezone()


def read_roster(path: Path, *, deadline: datetime | None = None, late: LateRule | None = None) -> Roster:
    """Read a roster. `deadline` is for students without one of their own; `late` takes the place of the file's rule.

    Raises UsageError with all that is wrong in the file. Folders are relative to the file's own.
    """
    text = _text(path)
    found = _Findings()
    if path.suffix.lower() == ".toml":
        deadline, late = _read_toml(text, path, found, deadline, late)
    else:
        _read_csv(text, path, found)
    _check(path, found)
    # A row whose folder is spelled otherwise would count as changed, and the student as not graded.
    folder = path.parent.resolve()
    students = (
        one.model_copy(
            update={
                "repository": _place(one.repository, folder),
                "deadline": one.deadline or deadline,
            }
        )
        for one in found.students
    )
    return Roster(tuple(students), late, (*found.remarks, *_shared_addresses(found.students)))


def _place(repository: str, folder: Path) -> str:
    """Return a URL as it is, and a folder from the root on, whatever folder the command is run in."""
    return repository if is_url(repository) else str(folder / Path(repository).expanduser())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(
                f"{path} is too large for a roster; give a CSV or TOML file with a row for each student."
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"The roster {path} cannot be read ({error.strerror}); give a CSV or TOML file."
        ) from error
    except UnicodeDecodeError:
        raise UsageError(f"The roster {path} is not in UTF-8; save it as CSV UTF-8.") from None


def _read_csv(text: str, path: Path, found: _Findings) -> None:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=find_delimiter(text))
    try:
        columns = [column.strip().lower() for column in next(reader, [])]
        _check_columns(columns, path, found)
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _add_row(cells, columns, f"line {line}", found)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"Line {reader.line_num} of {path} is no CSV ({error}); save the roster again."
        ) from None


def _check_columns(columns: Sequence[str], path: Path, found: _Findings) -> None:
    if missing := [name for name in REQUIRED if name not in columns]:
        raise UsageError(
            f"The first line of {path} has no column {', '.join(missing)}; it needs {', '.join(REQUIRED)},"
            f" and may have {', '.join(COLUMNS[len(REQUIRED) :])}."
        )
    if doubled := sorted({name for name in columns if name in COLUMNS and columns.count(name) > 1}):
        raise UsageError(f"The first line of {path} has the column {doubled[0]} twice; remove one.")
    found.remarks += _remarks(columns, path)


def _remarks(names: Sequence[str], path: Path) -> Iterator[str]:
    if unknown := [
        excerpt(name, 30) or "(without a name)" for name in dict.fromkeys(names) if name not in COLUMNS
    ]:
        yield f"{path} has columns that a roster does not know, and they are ignored: {', '.join(unknown)}."


def _add_row(cells: Sequence[str], columns: Sequence[str], place: str, found: _Findings) -> None:
    if len(cells) != len(columns):
        found.problems.append(f"{place}: {len(cells)} cells under {len(columns)} columns")
        return
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name in COLUMNS}
    _add({name: value for name, value in values.items() if value or name in REQUIRED}, place, found)


def _read_toml(
    text: str, path: Path, found: _Findings, deadline: datetime | None, late: LateRule | None
) -> tuple[datetime | None, LateRule | None]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML ({error}); mend it.") from None
    rows = content.pop("student", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path} has no tables [[student]]; write one for each student.")
    try:
        own_deadline = moment(content.pop("deadline")) if "deadline" in content else None
    except ValueError as error:
        raise UsageError(f"The deadline of {path}: {error}.") from None
    try:
        own_late = LateRule.model_validate(content.pop("late")) if "late" in content else None
    except ValidationError as error:
        raise UsageError(f"The table [late] of {path}: {'; '.join(_told(error))}.") from None
    if content:
        found.remarks.append(
            f"{path} has keys that a roster does not know, and they are ignored: {', '.join(content)}."
        )
    lines = [text.count("\n", 0, match.start()) + 1 for match in _HEADER.finditer(text)]
    for number, row in enumerate(rows):
        place = f"line {lines[number]}" if len(lines) == len(rows) else f"student {number + 1}"
        _add({name: value for name, value in row.items() if name in COLUMNS}, place, found)
    found.remarks += _remarks([name for row in rows for name in row], path)
    return deadline or own_deadline, late or own_late


def _add(values: Mapping[str, Any], place: str, found: _Findings) -> None:
    try:
        student = Student.model_validate(values)
    except ValidationError as error:
        found.problems.append(f"{place}: {'; '.join(_told(error))}")
        return
    if other := found.places.get(student.id.casefold()):
        # Course tools and some file systems do not tell capitals from small letters.
        found.problems.append(f"{place}: the id {student.id} is that of {other}")
        return
    found.places[student.id.casefold()] = place
    found.students.append(student)


def _shared_addresses(students: Sequence[Student]) -> Iterator[str]:
    owners: dict[str, list[str]] = {}
    for one in students:
        if one.email:
            owners.setdefault(one.email.casefold(), []).append(one.id)
    for address, ids in owners.items():
        if len(ids) > 1:
            yield f"{', '.join(ids)} have the same e-mail address {address}: no gradebook is matched by it."


def _told(error: ValidationError) -> Iterator[str]:
    """Yield what pydantic found, in words for whoever wrote the file."""
    for one in error.errors(include_url=False):
        name = ".".join(map(str, one["loc"]))
        match one["type"]:
            case "missing":
                yield f"there is no {name}"
            case "value_error":
                yield str(one["ctx"]["error"])
            case "extra_forbidden":
                yield f"there is no such key as {excerpt(name, 30)}"
            case _:
                yield f"{name}: {one['msg']}"


def _check(path: Path, found: _Findings) -> None:
    if found.problems:
        rows = "row is" if len(found.problems) == 1 else "rows are"
        listed = [f"  {excerpt(problem, 400)}" for problem in found.problems[:MOST_PROBLEMS]]
        if more := len(found.problems) - len(listed):
            listed.append(f"  and {more} more")
        raise UsageError("\n".join([f"{len(found.problems)} {rows} wrong in {path}; mend them:", *listed]))
    if not found.students:
        raise UsageError(f"There is no student in {path}; write a row for each.")
