"""A grading run on disk: the report and the histories behind it, to be looked at and judged again.

A run is written beside its place and put there whole, so that none is ever found in half.
"""

import contextlib
import errno
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chaos.history import History
from grading.errors import MachineError, UsageError
from grading.integrity import file_digest, sign
from grading.report import Report

REPORT = "report.json"
HISTORIES = "histories"
REPORT_BYTES: Final = 16 << 20
HISTORY_BYTES: Final = 512 << 20
"""Whoever can write to a folder of results can put a pipe, or a file without end, in it."""
_CALLERS = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG}
"""What a folder meets that was not well chosen; anything else is the disk's fault."""


def save(folder: Path, report: Report, histories: dict[str, History], key: bytes | None = None) -> Path:
    """Write a run, signed if there is a `key`, into its own folder below `folder` and return it.

    Raises UsageError where `folder` is none to write to, and MachineError where the disk does not take the run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _draft(folder) as draft:
            write(draft, report, histories, key)
            return _put(draft, folder, report.submission)
    except OSError as error:
        told = f"The results cannot be written to {folder} ({error.strerror}); choose another --out."
        raise (UsageError if error.errno in _CALLERS else MachineError)(told) from error


def write(folder: Path, report: Report, histories: dict[str, History], key: bytes | None = None) -> None:
    """Write the files of a run, signed if there is a `key`, into an empty folder. Raises OSError where that fails."""
    digests = dict(_dump(histories, folder / HISTORIES))
    signed = sign(report, digests, key)
    (folder / REPORT).write_text(signed.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[Report, dict[str, History]]:
    """Read what `save` wrote into `folder`; raises UsageError where it holds no run, or one that cannot be read."""
    try:
        check_file((folder / REPORT).resolve(), REPORT_BYTES)
        report = Report.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
        files = sorted((folder / HISTORIES).glob("*.jsonl"))
        for path in files:
            check_file(path.resolve(), HISTORY_BYTES)
        return report, {path.stem: History.load(path) for path in files}
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no graded run; give a folder that --out has filled.") from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The run in {folder} cannot be read ({type(error).__name__}); grade it again."
        ) from error


def check_file(path: Path, most: int) -> None:
    """Raise OSError if this is no file of at most `most` bytes, or is a link to one."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path.name} is no file")
    if found.st_size > most:
        raise OSError(f"{path.name} is larger than {most >> 20} MB")


def load_all(folder: Path) -> list[tuple[Report, dict[str, History]]]:
    """Read the run in `folder`, or all runs in the folder that was given to `--out`, the latest last.

    Raises UsageError where there is none, or one that cannot be read.
    """
    return sorted(map(load, find_all(folder)), key=lambda run: run[0].started)


def find_all(folder: Path) -> list[Path]:
    """Return `folder` if a run is in it or below it is none, and else the folders of all runs below it."""
    if (folder / REPORT).exists():
        return [folder]
    runs = [path.parent for path in folder.glob(f"*/{REPORT}") if not path.parent.name.startswith(".")]
    return runs or [folder]


def load_reports(folder: Path, submission: str) -> list[Report]:
    """Read the reports of a submission's runs in a results folder, the latest last; those that cannot be read are left out."""
    reports = []
    for path in folder.glob(f"*/{REPORT}"):
        if is_named_after(path.parent, submission):
            with contextlib.suppress(OSError, ValueError):
                reports.append(Report.model_validate_json(path.read_text(encoding="utf-8")))
    return sorted(reports, key=lambda report: report.started)


def is_named_after(folder: Path, submission: str) -> bool:
    """Whether `save`, or a class, which keeps the id of a student, could have given a folder its name for this submission."""
    pattern = rf"{re.escape(_slug(submission))}(-\d+)?"
    return folder.name == submission or re.fullmatch(pattern, folder.name) is not None


def _dump(histories: dict[str, History], folder: Path) -> Iterator[tuple[str, str]]:
    """Write histories into a new folder; yields each experiment with the digest of its file."""
    folder.mkdir()
    for experiment, history in histories.items():
        path = folder / f"{experiment}.jsonl"
        history.dump(path)
        yield experiment, file_digest(path)


def _slug(submission: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", submission).strip("-.") or "submission"


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Make a folder in `folder` that is gone afterwards, if it has not been moved."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    try:
        draft.chmod(0o755)  # results are there to be read, by others too
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put(draft: Path, folder: Path, submission: str) -> Path:
    """Move a run to the first place of its name that is free."""
    name = _slug(submission)
    number = 1
    while True:
        target = folder / (name if number == 1 else f"{name}-{number}")
        try:
            if not target.exists():
                return draft.rename(target)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:  # another grader was quicker
                raise
        number += 1
