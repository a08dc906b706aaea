"""The results of a class on disk, which survive `kill -9` at any moment.

    RESULTS/.lock                     held (flock) by the command that works here
    RESULTS/run.json                  the number of the last run, what it was to grade, and whether it came to its end
    RESULTS/students/.draft-ID-xxx/   being written; complete once its record.json is there
    RESULTS/students/ID/              the last grading
    RESULTS/previous/ID/              the one before it

A student is graded into a draft, which is renamed into place when it is complete. Whoever opens the folder renames the
complete drafts that a killed run has left, and removes the others.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from grading import results
from grading.classroom.record import RECORD, Difference, Record, changes, read_record
from grading.errors import MachineError, UsageError
from grading.integrity import sign
from grading.report import Report
from grading.workspace import remove_tree

STUDENTS: Final = "students"
PREVIOUS: Final = "previous"
DIFFERENCE: Final = "difference.json"
_RUN: Final = "run.json"
_DRAFT: Final = ".draft-"
_GONE: Final = ".gone-"


class Run(BaseModel):
    """One command over the folder: its number, what it was to grade, and whether it came to its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    chosen: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """The last grading of a student, and what it changed, if it was a regrade."""

    record: Record
    report: Report
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A grading that is kept, in its folder."""

    record: Record
    report: Report
    folder: Path

    @property
    def digest(self) -> str:
        """What tells this grading from any other: the digest of its report and histories."""
        assert self.report.integrity  # of a report that was kept
        return self.report.integrity.digest


class Store:
    """A results folder that this process alone writes to. Use it as a context manager."""

    def __init__(self, root: Path, lock: int, key: bytes | None) -> None:
        self.root = root
        self._lock = lock
        self._key = key

    @classmethod
    def open(cls, root: Path, key: bytes | None = None) -> Self:
        """Make or open a results folder, and settle what a killed run has left in it; `key` signs its reports.

        Raises UsageError if it cannot be written to, or another command works in it.
        """
        try:
            for folder in (root / STUDENTS, root / PREVIOUS):
                folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(
                f"The results cannot be kept in {root} ({error.strerror}); choose another --out."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise UsageError(
                f"Another command is grading into {root}; wait for it, or choose another --out."
            ) from error
        store = cls(root, lock, key)
        store._settle()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def folder(self, student: str) -> Path:
        """Where the results of a student are."""
        return self.root / STUDENTS / student

    def begin(self, chosen: str) -> Run:
        """Return the run to go on with: the last one if it was interrupted and was to grade the same, else a new one."""
        last = self.last_run()
        if last and not last.complete and last.chosen == chosen:
            return last
        run = Run(number=last.number + 1 if last else 1, chosen=chosen, complete=False)
        self._write_run(run)
        return run

    def finish(self, run: Run) -> None:
        """Note that a run came to its end."""
        self._write_run(run.model_copy(update={"complete": True}))

    def last_run(self) -> Run | None:
        """Return the last run; None where there was none."""
        try:
            return Run.model_validate_json((self.root / _RUN).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise UsageError(f"{self.root / _RUN} cannot be read; choose another --out.") from error

    def record(self, student: str) -> Record | None:
        """Return the record of a student's last grading."""
        return read_record(self.folder(student))

    def entry(self, student: str) -> Entry | None:
        """Return a student's last grading without its histories; None where there is none that can be read."""
        folder = self.folder(student)
        record = read_record(folder)
        if record is None:
            return None
        try:
            report = _report(folder)
            difference = None
            with contextlib.suppress(FileNotFoundError):
                difference = Difference.model_validate_json((folder / DIFFERENCE).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None
        return Entry(record, report, difference)

    def graded_attempts(self, student: str) -> Iterator[Attempt]:
        """Yield the gradings of a student that are kept and brought a grade, the last one last."""
        for kept in (PREVIOUS, STUDENTS):
            folder = self.root / kept / student
            record = read_record(folder)
            if record and record.graded:
                with contextlib.suppress(OSError, ValidationError):
                    yield Attempt(record, _report(folder), folder)

    def new_draft(self, student: str) -> Path:
        """Return where a student's grading is to be written: a folder that is not there yet."""
        return self.root / STUDENTS / f"{_DRAFT}{student}-{secrets.token_hex(4)}"

    def take(self, draft: Path) -> bool:
        """Put a complete draft in its place, and remove any other; whether it is complete.

        What could not be graded does not take the place of a grade for the same request: that one gets a remark.
        """
        record = read_record(draft)
        if record is None:
            remove_tree(draft)
            return False
        folder = self.folder(record.id)
        last = read_record(folder)
        if last and _supersedes(last, record):
            remove_tree(draft)
        elif last and last.graded and not record.graded and last.request == record.request:
            remark = f"Run {record.run} could not grade it again: {record.reason}"
            write_record(folder, last.model_copy(update={"run": record.run, "remark": remark}))
            remove_tree(draft)
        else:
            self._sign(draft)
            if last:
                self._set_aside(folder, draft)
            draft.rename(folder)
        return True

    def _set_aside(self, folder: Path, draft: Path) -> None:
        """Make room for a draft, and note what it changes."""
        with contextlib.suppress(OSError, ValidationError):
            last, before, after = read_record(folder), _report(folder), _report(draft)
            if last and last.graded:
                found = Difference(run=last.run, points=last.points, changes=tuple(changes(before, after)))
                write_whole(draft / DIFFERENCE, found.model_dump_json(indent=2) + "\n")
        previous = self.root / PREVIOUS / folder.name
        if previous.exists():
            gone = self.root / STUDENTS / f"{_GONE}{secrets.token_hex(4)}"
            previous.rename(gone)
            remove_tree(gone)
        folder.rename(previous)

    def _sign(self, draft: Path) -> None:
        if self._key:
            report = _report(draft)
            histories: Mapping[str, str] = report.integrity.histories if report.integrity else {}
            signed = sign(report, histories, self._key)
            write_whole(draft / results.REPORT, signed.model_dump_json(indent=2) + "\n")

    def _settle(self) -> None:
        for path in sorted(self._left()):
            if path.name.startswith(_DRAFT):
                self.take(path)
            else:
                remove_tree(path)

    def _left(self) -> Iterator[Path]:
        for path in (self.root / STUDENTS).iterdir():
            if path.name.startswith((_DRAFT, _GONE)):
                yield path

    def _write_run(self, run: Run) -> None:
        write_whole(self.root / _RUN, run.model_dump_json() + "\n")


def write_record(folder: Path, record: Record) -> None:
    """Write a record, which makes its folder complete. Raises MachineError where the disk does not take it."""
    write_whole(folder / RECORD, record.model_dump_json(indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody ever finds half of it. Raises MachineError where the disk does not take it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            draft.write_text(text, encoding="utf-8", newline="")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(
            f"{path} cannot be written ({error.strerror}); make room, and run the same command again."
        ) from error


def _supersedes(last: Record, record: Record) -> bool:
    """Whether a student's last grading is a later one, or one of the same run for the same request.

    A run that was interrupted can go on with another request, such as another deadline.
    """
    return last.run > record.run or (last.run, last.request) == (record.run, record.request)


def _report(folder: Path) -> Report:
    return Report.model_validate_json((folder / results.REPORT).read_text(encoding="utf-8"))
