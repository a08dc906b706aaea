"""Disks of bounded size for what boxes may write: file systems in memory, in the mount namespace of another process.

    python -m chaos.sandbox.disk PID FOLDER BYTES ENTRIES

mounts one at FOLDER, an empty folder. On this machine it stays empty; who may look into process PID finds the disk below
/proc/PID/root. It is gone with the namespace, whatever is on it.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from chaos.sandbox.enter import join

MOST_BYTES: Final = 256 * 2**20
"""What a service may write in one experiment, beside the copy of its repository."""
MOST_ENTRIES: Final = 20_000
"""How many files and folders it may make: each takes memory, an empty one too."""
SECONDS: Final = 20.0
MS_NOSUID, MS_NODEV = 0x2, 0x4

_TMPFS: Final = b"tmpfs"


def make_disk(holder: int, folder: Path, *, size: int = MOST_BYTES, entries: int = MOST_ENTRIES) -> Path:
    """Mount a disk at `folder` for the process `holder`, and return where it is seen from here. Raises OSError."""
    words = [sys.executable, "-m", "chaos.sandbox.disk", holder, folder, size, entries]
    done = subprocess.run(  # noqa: S603 - the grader's own words
        list(map(str, words)), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise OSError(f"no disk could be made for the box: {done.stderr.strip().rpartition(chr(10))[2]}")
    return Path(f"/proc/{holder}/root") / folder.relative_to("/")


def main(holder: str, folder: str, size: str, entries: str) -> None:
    """Join the namespaces of `holder`, and mount."""
    join(holder)
    mount_memory(folder, f"size={size},nr_inodes={entries},mode=700")


def mount_memory(folder: str, options: str) -> None:
    """Mount a file system in memory. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(_TMPFS, os.fsencode(folder), _TMPFS, MS_NOSUID | MS_NODEV, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"nothing can be mounted in a namespace of this user ({os.strerror(number)})")


if __name__ == "__main__":
    main(*sys.argv[1:])
