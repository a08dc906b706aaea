"""Reads what comes from a submission in a process of its own, so that no text can hang or kill the grader.

Patterns, parsers and loops over a submission's files and output are written to be linear. This is for those that are not.
"""

import asyncio
import contextlib
import ctypes
import gc
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
NICENESS = 5
"""Of a process beside the event loop: services that start have precedence, and it still gets a quarter of a processor."""
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
    pid, read_end = _start(work, seconds)
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


async def bounded_aside(work: Callable[[], T], *, seconds: int) -> T:
    """Return what `bounded` does, while the event loop goes on. `work` opens no files and no connections."""
    pid, read_end = _start(work, seconds, aside=True)
    try:
        answer = await _read_aside(read_end, seconds * WAIT_FACTOR)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it was killed
        raise
    # It has answered, but may not get the processor to end: the loop must not wait for it.
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    found: T = _result(answer, os.waitstatus_to_exitcode(status), seconds)
    return found


def _start(work: Callable[[], object], seconds: int, *, aside: bool = False) -> tuple[int, int]:
    """Start a process that does `work`; return its id, and the end of the pipe from which the outcome is read."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        # The threads of this process are idle ones of a pool, and the child uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        os.close(read_end)
        if aside:
            os.nice(NICENESS)
            _close_all_but(write_end)
        _answer(work, write_end, seconds)
    os.close(write_end)
    return pid, read_end


def _close_all_but(end: int) -> None:
    """Close what the lab has open: a connection that it resets stays whole as long as another process holds it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, end)
    os.closerange(end + 1, most if most != resource.RLIM_INFINITY else 1 << 20)


async def _read_aside(end: int, seconds: float) -> bytes:
    """Read a pipe to its end. Raises OverBoundsError if that does not come within so many seconds."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb", 0)
    )
    try:
        async with asyncio.timeout(seconds):
            return await reader.read()
    except TimeoutError:
        raise OverBoundsError(f"it was not read within {seconds:.0f} s") from None
    finally:
        transport.close()


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
        # What the parent has dropped is the parent's to finish: here that could close files of others. And this ends soon.
        gc.disable()
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
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told, and goes no further in this process
        with contextlib.suppress(BaseException):
            os.write(end, pickle.dumps(("tripped", f"{type(error).__name__}: {error}")))
            code = 0
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
        # Its message is all that is told; libraries such as tblib would pickle what led to it as well, at any depth.
        error.__cause__ = error.__context__ = error.__traceback__ = None
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
