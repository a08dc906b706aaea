"""A process above the grader that ends whatever the grader leaves, also if the grader itself is killed.

    keeper ── grader ── wardens ── services, fault proxy, ...

The keeper is a subreaper (Linux): a process whose parent dies becomes the keeper's child. Its only rightful child is the
grader, so any other one is a stray (of a killed warden, or a daemon) and is killed. If the keeper itself is killed, the
kernel has the grader end as on SIGTERM, and continues it should it be stopped.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
POLL_SECONDS: Final = 0.2
"""A process that changes its parent makes no signal, so the keeper has to look."""
CLEAR_SECONDS: Final = 10.0
_FORWARDED: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def keep(killed: Callable[[int], int]) -> None:
    """Return in a child process, with this one as its keeper; the keeper ends when the child does, with its exit code.

    If the child was killed, the keeper first calls `killed` with the signal, for what is left on disk, and ends with the
    exit code that it returns. Where there are no subreapers, this does nothing.
    """
    if sys.platform != "linux":
        return
    sys.stdout.flush()
    sys.stderr.flush()
    libc = ctypes.CDLL(None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = os.getpid()
    child = os.fork()
    if child:
        _watch(child, killed)
    _end_with(keeper, libc)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM once the thread that started it is gone (Linux).

    If `parent` is gone already, this process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGTERM)


def _end_with(keeper: int, libc: ctypes.CDLL) -> None:
    """Have this process end when its keeper does."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    armed = threading.Event()

    def stay() -> None:
        # Each thread has a signal of its own, and this one wakes a process that somebody has stopped.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
        armed.set()
        threading.Event().wait()

    threading.Thread(target=stay, name="keeper", daemon=True).start()
    armed.wait()
    if os.getppid() != keeper:
        os._exit(128 + signal.SIGTERM)


def _watch(child: int, killed: Callable[[int], int]) -> NoReturn:
    """Pass signals on to the child and kill strays until it ends; then end with its exit code."""
    code = 1
    try:
        while (ended := _reap(child)) is None:
            _kill_strays(child)
            got = signal.sigtimedwait({*_FORWARDED, signal.SIGCHLD}, POLL_SECONDS)
            if got and got.si_signo in _FORWARDED:
                os.kill(child, got.si_signo)
        _clear()
        code = killed(-ended) if ended < 0 else ended
    finally:
        os._exit(code)


def _reap(child: int) -> int | None:
    """Collect whatever has ended; returns the child's exit code, negative for a signal, or None while it runs."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                found = os.waitstatus_to_exitcode(ended[1])
    return found


def _kill_strays(child: int | None = None) -> bool:
    """Kill all children but one; whether there were any. Theirs become the keeper's, and are killed the next time."""
    strays = [pid for pid in _children() if pid != child]
    for pid in strays:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(strays)


def _clear() -> None:
    """Kill all children until there is none, for 10 s at most."""
    deadline = time.monotonic() + CLEAR_SECONDS
    while _kill_strays() and time.monotonic() < deadline:
        signal.sigtimedwait({signal.SIGCHLD}, 0.01)
        _reap(0)


def _children() -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found
