"""Grades several students side by side on this machine, each in a process of its own."""

import selectors
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final

from grading.classroom.student import Task
from grading.classroom.student_process import Ended, StudentProcess, end
from grading.processors import count_processors

GRADING_MEGABYTES: Final = 1536
"""Memory of one grading: the grader, and the services of the experiments that run at once."""
SIDE_BY_SIDE_PER_PROCESSOR: Final = 1.5
"""Gradings mostly wait; see benchmarks/class.py."""

Step = Callable[[Task, str], None]
"""Is told what is being done for a student, in a few words; the first time when the grading starts."""
Runner = Callable[[Sequence[Task], Step], Generator[Ended, None, None]]
"""Grades students, and yields each when it has ended. Closing the generator ends those that run."""


def default_jobs() -> int:
    """Return how many gradings this machine bears at once."""
    return jobs_for(count_processors(), _free_megabytes())


def jobs_for(processors: int, free_megabytes: int | None) -> int:
    """Return how many gradings so many processors and so much free memory bear at once; at least one."""
    by_processors = max(1, int(processors * SIDE_BY_SIDE_PER_PROCESSOR))
    if free_megabytes is None:
        return by_processors
    return max(1, min(by_processors, free_megabytes // GRADING_MEGABYTES))


def side_by_side(jobs: int) -> Runner:
    """Return what grades students, `jobs` at a time, on this machine."""

    def run(tasks: Sequence[Task], step: Step) -> Generator[Ended, None, None]:
        return _run(tasks, jobs, step)

    return run


def _run(tasks: Sequence[Task], jobs: int, step: Step) -> Generator[Ended, None, None]:
    waiting = list(reversed(tasks))
    running: list[StudentProcess] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    process = StudentProcess(waiting.pop())
                    running.append(process)
                    selector.register(process, selectors.EVENT_READ, process)
                    step(process.task, "starting")
                left = min(one.seconds_left for one in running)
                for key, _ in selector.select(max(left, 1.0)):
                    process = key.data
                    steps = process.steps()
                    for text in steps or ():
                        step(process.task, text)
                    if steps is None:
                        selector.unregister(process)
                        running.remove(process)
                        yield process.wait()
                for process in running:
                    process.end_if_overdue()
        finally:
            end(running)


def _free_megabytes() -> int | None:
    """Return the memory that can be had; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(facts["MemAvailable"].split()[0]) >> 10 if "MemAvailable" in facts else None
