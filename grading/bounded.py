"""Reads what comes from a submission in a process of its own, so that no text can hang or kill the grader.

Patterns, parsers and loops over a submission's files and output are written to be linear. This is for those that are not.
"""

import contextlib
import ctypes
import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from grading.errors import GradingError, SubmissionError

FILES_SECONDS = 20
MEMORY = 2**30
"""Bytes, on top of what the grader has itself."""
WAIT_FACTOR = 10
"""Seconds of waiting for a second of processor time: a busy machine has no more for each of many."""
_PIECE = 1 << 16
_PR_SET_PDEATHSIG = 1
_PAGE = resource.getpagesize()
_OUT_OF_MEMORY = 3

T = TypeVar("T")


class OverBoundsError(Exception):
    """What was to be read took too much time or memory, or broke who read it."""


def bounded(work: Callable[[], T], *, seconds: int) -> T:
    """Return what `work` returns, which has to pickle; it may take `seconds` of processor time and 1 GB of memory.

    Raises OverBoundsError where it took more or raised what is no GradingError, and else what it raised.
    """
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        # The threads of this process are idle ones of a pool, and the child uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        os.close(read_end)
        _answer(work, write_end, seconds)
    os.close(write_end)
    try:
        with os.fdopen(read_end, "rb", 0) as pipe:
            answer = _read(pipe.fileno(), seconds * WAIT_FACTOR)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    found: T = _result(answer, os.waitstatus_to_exitcode(status), seconds)
    return found


def _read(end: int, seconds: float) -> bytes:
    """Read a pipe to its end. Raises OverBoundsError if that does not come within so many seconds."""
    deadline = time.monotonic() + seconds
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    pieces: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise OverBoundsError(f"it was not read within {seconds:.0f} s")
        piece = os.read(end, _PIECE)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def read_files(work: Callable[[], T]) -> T:
    """Return what is made of a submission's files. Raises SubmissionError where they cannot be read within bounds."""
    try:
        return bounded(work, seconds=FILES_SECONDS)
    except OverBoundsError as error:
        raise SubmissionError(f"The submission's files cannot be read: {error}.") from error


def _answer(work: Callable[[], object], end: int, seconds: int) -> NoReturn:
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        with contextlib.suppress(AttributeError):  # Linux alone has it
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _limit(seconds)
        answer = pickle.dumps(_outcome(work))
        with os.fdopen(end, "wb") as pipe:
            pipe.write(answer)
        code = 0
    except MemoryError:
        code = _OUT_OF_MEMORY
    finally:
        os._exit(code)


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    with contextlib.suppress(OSError, ValueError), Path("/proc/self/statm").open(encoding="ascii") as file:
        most = int(file.read().split()[0]) * _PAGE + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _outcome(work: Callable[[], object]) -> tuple[str, object]:
    try:
        return "value", work()
    except GradingError as error:
        return "error", error
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a text trips is told, and stops nothing
        return "tripped", f"{type(error).__name__}: {error}"


def _result(answer: bytes, code: int, seconds: int) -> Any:
    if code == _OUT_OF_MEMORY:
        raise OverBoundsError(f"more than {MEMORY >> 20} MB of memory are needed to read it")
    if code == -signal.SIGXCPU:
        raise OverBoundsError(f"more than {seconds} s of processor time are needed to read it")
    if code:
        raise OverBoundsError(f"it broke the process that was to read it (exit code {code})")
    kind, value = pickle.loads(answer)  # noqa: S301 - written by our own code
    if kind == "error":
        raise value
    if kind == "tripped":
        raise OverBoundsError(f"it cannot be read ({value})")
    return value
