"""Reads what comes from a submission in a process of its own, so that no text can hang or kill the grader.

Patterns, parsers and loops over a submission's files and output are written to be linear. This is for those that are not.
"""

import contextlib
import os
import pickle
import resource
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from grading.errors import GradingError, SubmissionError

FILES_SECONDS = 20
MEMORY = 2**30
"""Bytes, on top of what the grader has itself."""
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
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    found: T = _result(answer, os.waitstatus_to_exitcode(status), seconds)
    return found


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
