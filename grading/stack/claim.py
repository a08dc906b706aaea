"""Who runs the stack: a record in a file that its writer keeps locked for as long as it lives.

The record and the lock are one file, so a record that is found locked is never that of a process that has ended and
whose number another one may have by now.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from chaos.contract import Contract
from grading.stack.ports import Ports

RECORD = "stack.json"


class Record(BaseModel):
    """A stack that is up or coming up: its supervisor's process id, and what it serves where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    repository: str
    contract: Contract
    ports: Ports
    started: str


def find(folder: Path) -> Record | None:
    """The record of whoever has claimed the folder and lives; None where nobody has."""
    try:
        descriptor = os.open(folder / RECORD, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Record.model_validate_json(file.read())
        return None


@contextlib.contextmanager
def claimed(folder: Path, record: Record) -> Iterator[bool]:
    """Claim the folder until the end of the context or of the process; False where somebody else has it."""
    draft = folder / f"{RECORD}.{record.pid}"
    draft.write_text(record.model_dump_json(), encoding="utf-8")
    with draft.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _put(draft, folder):
            draft.unlink()
            yield False
            return
        try:
            yield True
        finally:
            (folder / RECORD).unlink()


def _put(draft: Path, folder: Path) -> bool:
    """Make a locked draft the record, unless there is one that is locked."""
    # Two at once would both see nobody's claim.
    with (folder / f"{RECORD}.lock").open("wb") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if find(folder) is not None:
            return False
        draft.replace(folder / RECORD)
        return True
