"""Grades several students side by side, each in a process of its own."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from grading.classroom.student import INTERRUPTED, UNCHANGED, Task, grade_student
from grading.errors import MachineError

GRADING_MEGABYTES: Final = 1536
"""Memory of one grading: the grader, and the services of the experiments that run at once."""
SIDE_BY_SIDE_PER_PROCESSOR: Final = 1.5
"""Gradings mostly wait; see benchmarks/class.py."""
MOST_SECONDS: Final = 3600.0
"""After which a grading is ended: its own waits are bounded, so something hangs that nobody has foreseen."""
END_SECONDS: Final = 30.0
"""For a grading to tear down what it has started."""

Step = Callable[[Task, str], None]
"""Is told what is being done for a student, in a few words; the first time when the grading starts."""


Runner = Callable[[Sequence[Task], Step], Generator["Ended", None, None]]
"""Grades students, and yields each when it has ended. Closing the generator ends those that run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the process of a student ended: with its results complete, with nothing new to grade, or for a reason."""

    task: Task
    error: MachineError | None = None
    unchanged: bool = False


@dataclass(slots=True)
class _Job:
    task: Task
    process: BaseProcess
    pipe: Connection | None
    started: float


def default_jobs() -> int:
    """Return how many gradings this machine bears at once, by its processors and its free memory."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    by_processors = max(1, int(processors * SIDE_BY_SIDE_PER_PROCESSOR))
    free = _free_megabytes()
    return by_processors if free is None else max(1, min(by_processors, free // GRADING_MEGABYTES))


def side_by_side(jobs: int) -> Runner:
    """Return what grades students, `jobs` at a time, on this machine."""

    def run(tasks: Sequence[Task], step: Step) -> Generator[Ended, None, None]:
        return _run(tasks, jobs, step)

    return run


def _run(tasks: Sequence[Task], jobs: int, step: Step) -> Generator[Ended, None, None]:
    waiting = list(reversed(tasks))
    running: list[_Job] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop()
                running.append(_start(task))
                step(task, "starting")
            _listen(running, step)
            for job in [one for one in running if one.process.exitcode is not None]:
                running.remove(job)
                yield _ended(job)
    finally:
        end(one.process for one in running)


def _start(task: Task) -> _Job:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=grade_student, args=(task, sender, os.getpid()))
    process.start()
    sender.close()
    return _Job(task, process, receiver, time.monotonic())


def _listen(running: Sequence[_Job], step: Step) -> None:
    """Wait until something happens, and pass on what the gradings tell."""
    by_pipe = {job.pipe: job for job in running if job.pipe}
    oldest = min(job.started for job in running)
    left = max(0.0, oldest + MOST_SECONDS - time.monotonic())
    ready = wait([*by_pipe, *(job.process.sentinel for job in running)], timeout=left)
    for one in ready:
        if isinstance(one, Connection):
            _receive(by_pipe[one], step)
    for job in running:
        if time.monotonic() - job.started > MOST_SECONDS:
            end([job.process])


def _receive(job: _Job, step: Step) -> None:
    assert job.pipe
    try:
        step(job.task, job.pipe.recv_bytes(4096).decode(errors="replace"))
    except (EOFError, OSError):
        job.pipe.close()
        job.pipe = None


def _ended(job: _Job) -> Ended:
    if job.pipe:
        job.pipe.close()
    code = job.process.exitcode
    took = time.monotonic() - job.started
    job.process.close()
    if code == 0:
        return Ended(job.task)
    if code == UNCHANGED:
        return Ended(job.task, unchanged=True)
    if took > MOST_SECONDS:
        return Ended(
            job.task,
            MachineError(f"Grading took longer than {MOST_SECONDS / 60:.0f} minutes, and was ended."),
        )
    return Ended(job.task, MachineError(f"The grader {_manner(code)}; grade it again."))


def _manner(code: int | None) -> str:
    """Say how a process ended; the keeper of a killed grader exits as a shell does."""
    if code == INTERRUPTED:
        return "was interrupted"
    number = -code if code is not None and code < 0 else (code or 0) - 128
    try:
        return f"was killed ({signal.Signals(number).name})"
    except ValueError:
        return f"ended with exit code {code}"


def end(processes: Iterator[BaseProcess] | Sequence[BaseProcess]) -> None:
    """End processes, and wait until they have torn down what they started; what does not end in 30 s is killed."""
    ending = list(processes)
    for process in ending:
        process.terminate()
    deadline = time.monotonic() + END_SECONDS
    for process in ending:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _free_megabytes() -> int | None:
    """Return the memory that can be had; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(facts["MemAvailable"].split()[0]) >> 10 if "MemAvailable" in facts else None
