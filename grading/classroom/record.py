"""What is known of one student's grading, beside the report: the file that makes a folder of results complete."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from grading.report import Report

RECORD: Final = "record.json"


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(StrEnum):
    """What came of a grading.

    Only `graded` is a grade. `not judged` is the grader's or the machine's fault, `not fetched` a repository or commit
    that could not be had.
    """

    GRADED = "graded"
    NOT_JUDGED = "not judged"
    NOT_FETCHED = "not fetched"


class Record(Model):
    """One grading of one student.

    `run` counts the commands over a results folder. `request` is a digest of what was asked: the same request need not
    be graded again. `version` is the commit, or a digest of the files where there is none. `remark` tells of a later
    attempt that failed.
    """

    id: str
    run: int
    request: str
    state: State
    reason: str = ""
    version: str = ""
    commit: str | None = None
    committed: datetime | None = None
    points: float
    max_points: float
    mention: str | None = None
    started: str
    seconds: float
    remark: str = ""

    @property
    def graded(self) -> bool:
        return self.state is State.GRADED


class Change(Model):
    """A criterion whose verdict is not what it was."""

    number: str
    before: str
    after: str


class Difference(Model):
    """What a regrade changed, against the grade before it."""

    run: int
    points: float
    changes: tuple[Change, ...]


def digest(request: Mapping[str, Any]) -> str:
    """Return the digest of what is asked of a grading."""
    return sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


def read_record(folder: Path) -> Record | None:
    """Return the record in a folder of results; None where the folder is not complete."""
    try:
        return Record.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def changes(before: Report, after: Report) -> Iterator[Change]:
    """Yield the criteria whose verdicts differ; one that only one of them has is `-` in the other."""
    old, new = (
        {one.number: one.status for part in report.exercises for one in part.criteria}
        for report in (before, after)
    )
    for number in dict.fromkeys([*old, *new]):
        was, now = old.get(number, "-"), new.get(number, "-")
        if was != now:
            yield Change(number=number, before=was, after=now)
