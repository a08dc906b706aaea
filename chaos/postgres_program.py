"""Becomes a program of PostgreSQL's: `python -I -S postgres_program.py ORDER`, which is `Order` as JSON.

PostgreSQL refuses to run as root, so this becomes an ordinary user there. A Python is sure to be there, other tools for
it are not.
"""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Final, TypedDict

NOBODY: Final = 65534
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
MS_NOSUID_NODEV_NOEXEC: Final = 0x2 | 0x4 | 0x8
MS_SLAVE_ALL: Final = 0x80000 | 0x4000
MOST_FILES: Final = 100_000
PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_OVERRIDE: Final = 1
CAPABILITY_VERSION: Final = 0x20080522


class Order(TypedDict):
    """What to do: mount `bytes` of memory at `disk`, an empty folder, run `first`, and become `argv`.

    Without `disk` and `first`, neither. Where this user may mount nothing, `disk` stays the folder that it is.
    """

    disk: str
    bytes: int
    first: list[str]
    argv: list[str]


def main(order: Order) -> None:
    """Carry out an order. Ends with the exit code of `first` where that fails."""
    is_root = os.geteuid() == 0
    if order["disk"]:
        with contextlib.suppress(OSError):
            mount(order["disk"], order["bytes"], is_root=is_root)
        if is_root:
            os.chown(order["disk"], NOBODY, NOBODY)
    if is_root:
        become_nobody()
    first = order["first"]
    if first and (code := os.spawnv(os.P_WAIT, first[0], first)):  # noqa: S606 - the grader's own words
        sys.exit(code)
    os.execv(order["argv"][0], order["argv"])  # noqa: S606 - the grader's own words


def mount(folder: str, size: int, *, is_root: bool) -> None:
    """Mount a file system in memory that this process and its children alone see. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    if is_root:
        _call("unshare", CLONE_NEWNS)
        _call("mount", None, b"/", None, MS_SLAVE_ALL, None)
    else:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    options = f"size={size},nr_inodes={MOST_FILES},mode=700"
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID_NODEV_NOEXEC, options.encode())


def become_nobody() -> None:
    """Become an ordinary user who may enter root's folders: those of a grading and of the environment are often its own.

    That is CAP_DAC_OVERRIDE, kept and made ambient.
    """
    _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    sets = [1 << CAP_DAC_OVERRIDE] * 3 + [0] * 3
    _call("capset", (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)(*sets))
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None or function(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
