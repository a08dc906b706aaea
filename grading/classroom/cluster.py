"""Grades students on a cluster of Dask's: its scheduler hands them to workers, which may be on other machines.

A worker takes as many students as it has of the resource `grading`. A student whose worker is lost goes to another one.
What a worker has graded comes back as an archive, so workers need no disk in common with the results folder; folders of
submissions they have to see under the same path.
"""

import contextlib
import io
import os
import queue
import secrets
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from grading.classroom.record import RECORD
from grading.classroom.runner import Runner, Step
from grading.classroom.student import Task
from grading.classroom.student_process import Ended, StudentProcess
from grading.errors import MachineError, UsageError
from grading.workspace import remove_tree

RESOURCE: Final = "grading"
RETRIES: Final = 2
CONNECT_SECONDS: Final = 20
STEPS: Final = "grading-steps"
QUIET: Final = {"distributed": "critical", "distributed.client": "critical"}
"""What Dask logs into the display; what matters is told of each student."""
_LOST: Final = "The connection to the cluster's scheduler was lost; run the same command again."
_MISSING: Final = (
    "--cluster needs Dask's distributed scheduler; install it with `uv sync --group class` on every machine."
)

_running: dict[str, StudentProcess] = {}
"""The students that this worker grades, by their tasks' drafts."""
_running_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a worker sends back: the files of a draft, unless there was nothing new, or an error."""

    files: bytes
    unchanged: bool
    error: MachineError | None


def on_cluster(address: str, tell: Callable[[str], None]) -> Runner:
    """Return what grades students on the cluster whose scheduler is at an address; `tell` says what it waits for.

    Raises UsageError if the packages are missing.
    """
    try:
        import dask.config  # noqa: PLC0415 - extras that take a second to import

        dask.config.set({"logging": QUIET})
        import distributed  # noqa: PLC0415
    except ImportError:
        raise UsageError(_MISSING) from None

    def run(tasks: Sequence[Task], step: Step) -> Generator[Ended, None, None]:
        with _connected(distributed, address) as client:
            _tell_of_workers(client, tell)
            yield from _run(client, tasks, step)

    return run


def grade_remotely(task: Task) -> Sent:
    """Grade a student on this worker, and return the files. Runs in a thread of the worker."""
    from distributed import get_worker  # noqa: PLC0415 - only workers need it

    with tempfile.TemporaryDirectory(prefix="grading-student-", ignore_cleanup_errors=True) as folder:
        process = StudentProcess(replace(task, draft=Path(folder) / "draft"))
        name = os.fspath(task.draft)
        with _running_lock:
            _running[name] = process
        try:
            while (steps := process.steps()) is not None:
                for text in steps:
                    get_worker().log_event(STEPS, {"draft": name, "text": text})
            ended = process.wait()
        finally:
            with _running_lock:
                del _running[name]
        files = b"" if ended.error or ended.unchanged else pack(process.task.draft)
    return Sent(files, ended.unchanged, ended.error)


def end_remotely(drafts: Sequence[str]) -> None:
    """End the gradings of these drafts on this worker."""
    with _running_lock:
        for name in drafts:
            if process := _running.get(name):
                process.terminate()


def pack(folder: Path) -> bytes:
    """Return the files of a folder as an archive. The record, which makes the folder complete, is the last of them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda path: path.name == RECORD):
            archive.write(path, path.relative_to(folder))
    return stream.getvalue()


def unpack(files: bytes, folder: Path) -> None:
    """Write the files of an archive into a new folder. Raises MachineError if that fails."""
    try:
        with zipfile.ZipFile(io.BytesIO(files)) as archive:
            archive.extractall(folder)  # which leads no path out of the folder
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        remove_tree(folder)
        raise MachineError(
            f"The results that a worker sent could not be written ({error}); grade it again."
        ) from error


@contextlib.contextmanager
def _connected(distributed: Any, address: str) -> Generator[Any, None, None]:
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No scheduler answers at {address}; start one with `dask scheduler`, and give the address that it prints."
        ) from error
    with client:
        yield client


def _tell_of_workers(client: Any, tell: Callable[[str], None]) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    places = sum(int(one["resources"].get(RESOURCE, 0)) for one in workers)
    if places:
        tell(f"The cluster grades {places} student{'' if places == 1 else 's'} at once.")
    else:
        tell(f"No worker offers the resource {RESOURCE} yet; start some with --resources {RESOURCE}=1.")


def _run(client: Any, tasks: Sequence[Task], step: Step) -> Generator[Ended, None, None]:
    by_draft = {os.fspath(task.draft): task for task in tasks}
    news: queue.SimpleQueue[tuple[Task, str] | tuple[Task, Any]] = queue.SimpleQueue()

    def hear(event: tuple[float, dict[str, str]]) -> None:
        _, told = event
        if task := by_draft.get(told["draft"]):
            news.put((task, told["text"]))

    client.subscribe_topic(STEPS, hear)
    futures = {}
    try:
        for task in tasks:
            future = client.submit(
                grade_remotely,
                task,
                key=f"grade-{task.student.id}-{secrets.token_hex(4)}",
                resources={RESOURCE: 1},
                retries=RETRIES,
                pure=False,
            )
            futures[future] = task
            future.add_done_callback(lambda done: news.put((futures[done], done)))
        left = set(by_draft)
        while left:
            task, told = news.get()
            if isinstance(told, str):
                step(task, told)
            elif os.fspath(task.draft) in left:
                left.discard(os.fspath(task.draft))
                yield _ended(task, told)
    finally:
        _end(client, futures)


def _end(client: Any, futures: Mapping[Any, Task]) -> None:
    """End what still runs on workers."""
    if unfinished := [future for future in futures if not future.done()]:
        client.cancel(unfinished, force=True)
        with contextlib.suppress(OSError, TimeoutError):
            client.run(end_remotely, [os.fspath(futures[one].draft) for one in unfinished], on_error="ignore")


def _ended(task: Task, future: Any) -> Ended:
    """Return what came of a student, with the files in the draft."""
    if future.cancelled():
        return Ended(task, MachineError(_LOST))
    try:
        sent: Sent = future.result()
        if sent.files:
            unpack(sent.files, task.draft)
    except MachineError as error:
        return Ended(task, error)
    except Exception as error:  # noqa: BLE001 - a lost worker, or a grader of another version there
        return Ended(task, MachineError(f"The cluster could not grade it ({type(error).__name__}: {error})."))
    return Ended(task, sent.error, sent.unchanged)
