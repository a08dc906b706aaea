"""Runs one function on many arguments in a few processes, which end at once when nobody wants the rest any more."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

from grading.keeper import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")

# No fork: what runs in them has threads. And no pool of the standard library's: its queues have threads that can outlive
# an interrupt, and a worker that is killed takes all that is left to be done with it.
_context = multiprocessing.get_context("spawn")


def side_by_side(
    work: Callable[[Task], Result], todo: Sequence[Task], jobs: int
) -> Generator[tuple[Task, Result | str], None, None]:
    """Call `work` on each of `todo` in up to `jobs` processes; yields each with what came of it, as they end.

    What comes of one whose process died is a sentence that says so. Whatever still runs when the caller leaves is killed.
    """
    left = iter(todo)
    with contextlib.ExitStack() as stack:
        running: dict[Connection, tuple[BaseProcess, Task]] = {}
        for task in islice(left, jobs):
            worker, end = stack.enter_context(_worker(work))
            end.send(task)
            running[end] = worker, task
        while running:
            for end in cast(list[Connection], wait(list(running))):
                worker, task = running.pop(end)
                result = _receive(worker, end)
                for following in islice(left, 1):
                    free = (worker, end) if worker.is_alive() else stack.enter_context(_worker(work))
                    free[1].send(following)
                    running[free[1]] = free[0], following
                yield task, result


def _receive(worker: BaseProcess, end: Connection) -> Result | str:
    try:
        return cast(Result, end.recv())
    except EOFError:
        worker.join()
        return f"its process ended with exit code {worker.exitcode}"


@contextlib.contextmanager
def _worker(work: Callable[[Task], object]) -> Iterator[tuple[BaseProcess, Connection]]:
    """Start a process that answers each task sent to it, until the block is left."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_serve, args=(work, theirs, os.getpid()))
    process.start()
    theirs.close()  # its death can be read now: nobody else has this end
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        ours.close()


def _serve(work: Callable[[Task], object], end: Connection, parent: int) -> None:
    end_with_parent(parent)
    # Ctrl-C is the parent's to act on. A handler is not inherited by what is started here; an ignored signal would be.
    signal.signal(signal.SIGINT, lambda *_: None)
    while True:
        end.send(work(end.recv()))
