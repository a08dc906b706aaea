"""A class on a Dask cluster: a scheduler and workers as programs of their own, some of which are killed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from grading.classroom.cluster import on_cluster, pack, unpack
from grading.classroom.record import RECORD
from grading.errors import MachineError, UsageError
from tests.grading.classroom.toy_runs import ROOT, Class, small_class, wait_for_ends
from tests.grading.classroom.toy_students import LATE_OPTIONS, check_gradebooks, write_class, write_exports
from tests.grading.test_killed import ENDED_SECONDS

pytestmark = pytest.mark.medium

slow = [pytest.mark.slow, pytest.mark.usefixtures("grading_slot", "short_temporary_folder")]


@contextmanager
def program(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "dask", *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            assert process.stderr
            process.stderr.close()


def wait_for(process: subprocess.Popen[str], pattern: str) -> str:
    """Wait for a line of a program, and return the group of the pattern in it."""
    assert process.stderr
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError(f"the program ended without {pattern}")


class Cluster:
    """A scheduler with workers that grade one student each at a time."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = wait_for(self.scheduler, r"Scheduler at:\s+(\S+)")

    def add_worker(self, *options: str) -> subprocess.Popen[str]:
        words = [
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            str(self._folder),
            *options,
        ]
        worker = self._start("worker", self.address, "--host", "127.0.0.1", *words)
        wait_for(worker, r"Registered to:\s+(\S+)")
        return worker

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return self._stack.enter_context(program(*words))


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path / "dask")


class TestWholeClasses:
    pytestmark = slow

    def test_a_class_of_twelve_survives_the_loss_of_two_workers(self, dask: Cluster, tmp_path: Path) -> None:
        workers = [dask.add_worker("--resources", "grading=1") for _ in range(3)]
        canvas, moodle = write_exports(tmp_path)
        options = (*LATE_OPTIONS, "--canvas", str(canvas), "--moodle", str(moodle), "--cluster", dask.address)
        one = Class(write_class(tmp_path), *options)

        with one.started() as process:
            for count, worker in enumerate(workers[:2], start=1):
                wait_for_ends(process, count)
                worker.kill()
            assert process.stderr
            errors = process.stderr.read()
            code = process.wait(ENDED_SECONDS)

        assert code == 3, errors
        assert "Traceback" not in errors
        check_gradebooks(one.results)

    def test_ctrl_c_ends_what_runs_on_workers(self, dask: Cluster, tmp_path: Path) -> None:
        dask.add_worker("--resources", "grading=1")
        one = Class(small_class(tmp_path, "ada", "grace"), "--cluster", dask.address)

        with one.started() as process:
            wait_for_ends(process, 1)
            os.killpg(process.pid, 2)
            assert process.wait(ENDED_SECONDS) == 130
        before = one.records()
        code, errors = one.grade()

        assert code == 0, errors
        assert len(before) == 1
        assert one.records().items() >= before.items()
        assert "The cluster grades 1 student at once." in errors

    def test_a_scheduler_that_is_lost_costs_nobody_a_grade(self, dask: Cluster, tmp_path: Path) -> None:
        one = Class(small_class(tmp_path, "ada", "grace"), "--cluster", dask.address)

        with one.started() as process:
            wait_for(process, r"(No worker offers the resource grading yet)")
            dask.scheduler.kill()
            assert process.stderr
            errors = process.stderr.read()
            code = process.wait(ENDED_SECONDS)

        assert code == 3
        assert "Traceback" not in errors, errors
        assert [one.record(name)["state"] for name in ("ada", "grace")] == ["not judged"] * 2
        assert "scheduler was lost" in " ".join(errors.split())


def test_an_address_where_no_scheduler_is() -> None:
    """In a process of its own, for Dask leaves threads and a hook in the collector of garbage behind."""
    program = """
from grading.classroom import cluster
from grading.errors import UsageError

cluster.CONNECT_SECONDS = 1
try:
    list(cluster.on_cluster("tcp://127.0.0.1:9", print)([], lambda task, text: None))
except UsageError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert "No scheduler answers at tcp://127.0.0.1:9; start one" in ended.stdout


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # has an import of it fail

    with pytest.raises(UsageError, match=r"install it with `uv sync --group class`"):
        on_cluster("tcp://127.0.0.1:9", print)


def test_an_archive_holds_a_folder_and_ends_with_the_record(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    (folder / "histories").mkdir(parents=True)
    for name in (RECORD, "report.json", "histories/one.jsonl"):
        (folder / name).write_text(name)

    files = pack(folder)
    unpack(files, tmp_path / "copy")

    found = {
        str(path.relative_to(tmp_path / "copy")): path.read_text()
        for path in (tmp_path / "copy").rglob("*.*")
    }
    assert found == {name: name for name in (RECORD, "report.json", "histories/one.jsonl")}
    with pytest.raises(MachineError):
        unpack(files[: len(files) // 2], tmp_path / "half")
    assert not (tmp_path / "half").exists()
