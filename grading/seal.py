"""An environment that nobody writes to any more, and how to tell whether somebody has.

Its digest is over names, kinds, sizes and times, of which the kernel sets one (ctime) at every change: no user can set it
back, and reading all contents would take a second.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_READ_AND_EXECUTE = 0o555


def seal(folder: Path) -> str:
    """Make all in a folder read-only, without set-user-ID bits, and return its digest. Raises OSError."""
    for path, found in _entries(str(folder)):
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(path, found.st_mode & _READ_AND_EXECUTE)  # noqa: PTH101 - there are thousands
    return digest(folder)


def digest(folder: Path) -> str:
    """Return the digest of all in a folder, which is another after any change. Raises OSError."""
    whole = hashlib.sha256()
    for path, found in _entries(str(folder)):
        facts = (
            found.st_ino,
            found.st_mode,
            found.st_uid,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )
        whole.update(f"{path}\0{facts}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _entries(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield a folder and all below it, always in the same order."""
    yield folder, os.lstat(folder)
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
