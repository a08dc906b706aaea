"""The folder of one grading run: made for it alone, and gone after it.

Layout, beside each other in `<tempdir>/grading-<uid>/`:

    <run-id>.lock   held (flock) for as long as the run lives
    <run-id>/       everything that the run writes

A lock that nobody holds belongs to a grader that was killed. The next one to start removes its
folder, and the processes that it left: they carry `GRADING_RUN=<run-id>` in their environment.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import platformdirs

from grading.errors import MachineError, SubmissionError

RUN_VARIABLE = "GRADING_RUN"
CACHE_VARIABLE = "GRADING_CACHE"
LEAST_ROOM = 2**20
"""Bytes: a disk with less room is full to whoever writes more than a line."""
INSTANCE_MEGABYTES = 300
"""A copy of the largest submission, and what a service may write without being suspected of filling a disk."""
_PROC = Path("/proc")


def cache_folder() -> Path:
    """Where environments are kept between runs: `GRADING_CACHE`, or the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("llm-grading")


def make_private(folder: Path) -> None:
    """Make a folder of the cache, and those above it that are missing, for this user alone. Raises OSError."""
    for missing in reversed([one for one in folder.parents if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


class Workspace:
    """A run's own folder, to be used as a context manager; it is removed at the end."""

    def __init__(self, run_id: str, root: Path, lock: int) -> None:
        self.run_id = run_id
        self.root = root
        self._lock = lock

    @classmethod
    def open(cls, parent: Path | None = None) -> Self:
        """Remove what killed runs left under `parent` (the temporary folder), then make a folder.

        Raises MachineError if the folder cannot be made.
        """
        try:
            base = _base(parent or Path(tempfile.gettempdir()))
            _sweep(base)
            while True:
                run_id = secrets.token_hex(6)
                lock = try_lock(base / f"{run_id}.lock")
                if lock is not None:
                    break
            root = base / run_id
            root.mkdir(mode=0o700)
        except OSError as error:
            raise MachineError(
                f"No folder for the run could be made ({error}); set TMPDIR to a writable one."
            ) from error
        return cls(run_id, root, lock)

    @property
    def environment(self) -> Mapping[str, str]:
        """What marks a process as one of this run: to be set for everything that it starts."""
        return {RUN_VARIABLE: self.run_id}

    def folder(self, name: str) -> Path:
        """Make a new folder whose name begins with `name`."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))

    @contextlib.contextmanager
    def as_temporary_folder(self) -> Iterator[None]:
        """Have `tempfile` use a folder of the run's, so that nothing of a killed run is left elsewhere."""
        before, tempfile.tempdir = tempfile.tempdir, str(self.folder("tmp"))
        try:
            yield
        finally:
            tempfile.tempdir = before

    def close(self) -> None:
        """Kill what the run left, remove its folder and give up its lock.

        What cannot be removed now is left to the next run's sweep.
        """
        if self._lock < 0:
            return
        lock, self._lock = self._lock, -1
        _discard(self.root, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(parent: Path | None = None) -> None:
    """Remove what killed runs left under `parent` (the temporary folder), as far as that is possible."""
    with contextlib.suppress(OSError):
        _sweep(_base(parent or Path(tempfile.gettempdir())))


def is_alive(root: Path) -> bool:
    """Whether the run whose folder is `root` still lives: somebody holds its lock, or another user may."""
    try:
        with root.with_name(f"{root.name}.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def check_room(folder: Path) -> None:
    """Raise MachineError where the disk of a run's folder is full: what a service could not write there is not its loss.

    Raises SubmissionError where a service has filled it.
    """
    if shutil.disk_usage(folder).free < LEAST_ROOM:
        for instance in folder.glob("instance-*"):
            if (megabytes := _usage(instance) >> 20) > INSTANCE_MEGABYTES:
                raise SubmissionError(f"The service filled the disk: it has {megabytes} MB in its folder.")
        raise MachineError(f"the disk is full: make room in {folder.parent}, or set TMPDIR to another one")


def _usage(folder: Path) -> int:
    """Return the bytes of disk that a folder takes; 0 where that cannot be found within 20 s."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own folder
            ["du", "-sk", "--", os.fspath(folder)],  # noqa: S607 - it follows no links, at any depth
            capture_output=True,
            timeout=20,
            check=False,
        )
        return int(ended.stdout.split()[0]) << 10
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return 0


def remove_tree(tree: Path) -> None:
    """Remove a folder with all it holds, read-only or being written to. Raises OSError if it stays."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(tree)
    if not os.path.lexists(tree):
        return
    # chmod and rm walk without following links, at any depth that a program can make.
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", os.fspath(tree)], check=False, capture_output=True)  # noqa: S603 - our own folder
    if os.path.lexists(tree):
        raise OSError(f"{tree} cannot be removed")


def _base(parent: Path) -> Path:
    base = parent / f"grading-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    found = base.lstat()
    # In a shared temporary folder, anybody can have made this name first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{base} belongs to somebody else")
    base.chmod(0o700)
    return base


def try_lock(path: Path) -> int | None:
    """Take the lock at `path` without waiting; None if somebody has it or has just removed it.

    Closing the descriptor frees it, and so does the end of the process. Raises OSError where there can be no lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever sweeps may have removed the file between our open and our lock.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _sweep(base: Path) -> None:
    for run_id in sorted({entry.stem for entry in base.iterdir()}):
        lock = try_lock(base / f"{run_id}.lock")
        if lock is not None:
            _discard(base / run_id, lock)


def _discard(root: Path, lock: int) -> None:
    """Remove the run of `root`, whose lock we hold; the lock's file goes last."""
    try:
        _kill_leftovers(root.name)
        with contextlib.suppress(OSError):
            remove_tree(root)
            root.with_name(f"{root.name}.lock").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _kill_leftovers(run_id: str) -> None:
    """Kill the processes of a run and wait, up to 2 s, until they are gone."""
    mark = f"{RUN_VARIABLE}={run_id}".encode()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        alive = False
        for pid in _marked(mark):
            alive = _kill(pid, mark) or alive
        if not alive:
            return
        time.sleep(0.02)


def _marked(mark: bytes) -> Iterator[int]:
    if not _PROC.is_dir():
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _carries(entry, mark):
            yield int(entry.name)


def _carries(process: Path, mark: bytes) -> bool:
    try:
        return process.stat().st_uid == os.getuid() and mark in (process / "environ").read_bytes().split(
            b"\0"
        )
    except OSError:
        return False


def _kill(pid: int, mark: bytes) -> bool:
    """Kill `pid` if it still is the process that carries the mark; the handle outlives a reuse of the number."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _carries(_PROC / str(pid), mark):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
