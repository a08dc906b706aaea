"""The process of a student, seen from who starts it."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grading.classroom.student import INTERRUPTED, UNCHANGED, Task
from grading.errors import MachineError

MOST_SECONDS: Final = 3600.0
"""After which a grading is ended: its own waits are bounded, so something hangs that nobody has foreseen."""
END_SECONDS: Final = 30.0
"""For a grading to tear down what it has started."""
_PIECE: Final = 1 << 16
# The same modules are imported as here, wherever they come from.
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from grading.classroom.student import main; main()"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the process of a student ended: with its results complete, with nothing new to grade, or for a reason."""

    task: Task
    error: MachineError | None = None
    unchanged: bool = False


class StudentProcess:
    """A grading that runs. It ends when this process does, or the thread that started it."""

    def __init__(self, task: Task) -> None:
        task.draft.mkdir()
        self.task = task
        self._last_second = time.monotonic() + MOST_SECONDS
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the class
        )
        assert self._process.stdin
        try:
            self._process.stdin.write(pickle.dumps((task, os.getpid())))
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # how it ended is told by its exit code

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is a step, or the process has ended."""
        assert self._process.stdout
        return self._process.stdout.fileno()

    @property
    def seconds_left(self) -> float:
        """How long it may go on."""
        return max(0.0, self._last_second - time.monotonic())

    def steps(self) -> list[str] | None:
        """Wait for steps, and return them; None when the process and all that it forked have ended."""
        piece = os.read(self.fileno(), _PIECE)
        return piece.decode(errors="replace").splitlines() if piece else None

    def wait(self) -> Ended:
        """Wait for the end of the process, and return how it was."""
        code = self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        if code == 0:
            return Ended(self.task)
        if code == UNCHANGED:
            return Ended(self.task, unchanged=True)
        if not self.seconds_left:
            return Ended(
                self.task,
                MachineError(f"Grading took longer than {MOST_SECONDS / 60:.0f} minutes, and was ended."),
            )
        return Ended(self.task, MachineError(f"The grader {_manner(code)}; grade it again."))

    def terminate(self) -> None:
        """Have the process tear down what it has started, and end."""
        self._process.terminate()

    def end_if_overdue(self) -> None:
        """Terminate the process if it has taken too long, and kill it if it does not end by that."""
        overdue = time.monotonic() - self._last_second
        if overdue > END_SECONDS:
            self._process.kill()
        elif overdue >= 0:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for the end until a time of the monotonic clock, and kill what does not end."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()


def end(processes: Sequence[StudentProcess]) -> None:
    """End processes, and wait until they have torn down what they started; what does not end in 30 s is killed."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + END_SECONDS
    for process in processes:
        process.end(deadline)


def _manner(code: int) -> str:
    """Say how a process ended; the keeper of a killed grader exits as a shell does."""
    if code == INTERRUPTED:
        return "was interrupted"
    try:
        return f"was killed ({signal.Signals(-code if code < 0 else code - 128).name})"
    except ValueError:
        return f"ended with exit code {code}"
