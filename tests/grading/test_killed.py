"""Whatever of a grading is killed or stopped, the rest ends, and nothing of it is left: processes, folders, mounts."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from chaos.sandbox.bubblewrap import find_bubblewrap, refusal
from grading.workspace import sweep
from tests.grading.test_cli import TINY, descendants

pytestmark = pytest.mark.slow
NO_BOX = pytest.mark.skipif(bool(refusal(find_bubblewrap())), reason="no box can be made here by this user")
ENDED_SECONDS = 30.0
"""From the moment at which the grader or its keeper is killed until the last process is gone."""
WHOLE_SECONDS = 240.0
"""For a grading that goes on without what was killed, and tries again."""


@dataclass(frozen=True)
class Grading:
    """A grader at work: its keeper, its folder for temporary files, and the lines that it prints."""

    keeper: subprocess.Popen[str]
    folder: Path

    @property
    def grader(self) -> int:
        [grader] = children(self.keeper.pid)
        return grader

    def find(self, words: str) -> list[int]:
        """Return the processes of the grading whose command lines hold these words."""
        return find_below(self.keeper.pid, words)

    def wardens(self, words: str) -> list[int]:
        """Return the wardens of the processes whose command lines hold these words."""
        return [parent(pid) for pid in self.find(words) if "warden.py" in command_line(parent(pid))]

    def wait_for_lines(self, count: int) -> None:
        """Wait until an experiment runs, and the grader has printed so many lines since."""
        assert self.keeper.stderr
        assert any(": running" in line for line in self.keeper.stderr)
        for _ in range(count):
            assert self.keeper.stderr.readline()


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "fork"
    folder.mkdir()
    source = TINY.read_text().replace('("127.0.0.1"', '("0.0.0.0"')
    (folder / "tiny.py").write_text(source)
    (folder / "requirements.txt").write_text("# the standard library alone\n")
    (folder / "pyproject.toml").write_text('[tool.grading]\ncommand = "python tiny.py well"\n')
    return folder


@contextlib.contextmanager
def grading(submission: Path, runtime: str) -> Iterator[Grading]:
    folder = submission.parent / "tmp"
    folder.mkdir()
    words = [sys.executable, "-m", "grading", "score", str(submission), "-e", "2", "--runtime", runtime]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as keeper:
        try:
            yield Grading(keeper, folder)
        finally:
            keeper.kill()


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def find_below(pid: int, words: str) -> list[int]:
    """Return the descendants of a process whose command lines hold these words."""
    return [one for one in descendants(pid) if words in command_line(one)]


def handles(pids: list[int]) -> list[int]:
    """Open handles of processes, by which their ends can be awaited."""
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


def await_ends(opened: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for handle in opened:
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        assert waiting.poll(max(0.0, deadline - time.monotonic()) * 1000), "a process still runs"
        os.close(handle)


def mounts() -> set[str]:
    """Return what is mounted here, but for Docker's: other tests have containers."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return {line for line in lines if "/docker/" not in line}


def marked(run_ids: set[str]) -> list[str]:
    """Return the command lines of the processes that carry the mark of a run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if any(f"GRADING_RUN={one}".encode() in (folder / "environ").read_bytes() for one in run_ids):
                    found.append(command_line(int(folder.name)))
    return found


def run_ids(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("grading-*/*.lock")}


KILLED: dict[str, Callable[[Grading], list[tuple[int, int]]]] = {
    "keeper": lambda one: [(one.keeper.pid, signal.SIGKILL)],
    "grader": lambda one: [(one.grader, signal.SIGKILL)],
    "keeper-and-grader": lambda one: [(one.keeper.pid, signal.SIGKILL), (one.grader, signal.SIGKILL)],
    "stopped-grader-and-keeper": lambda one: [
        (one.grader, signal.SIGSTOP),
        (one.keeper.pid, signal.SIGKILL),
    ],
    "stopped-wardens-and-grader": lambda one: [
        *((pid, signal.SIGSTOP) for pid in one.find("warden.py")),
        (one.grader, signal.SIGKILL),
    ],
    "wardens-and-grader": lambda one: [
        *((pid, signal.SIGKILL) for pid in one.find("warden.py")),
        (one.grader, signal.SIGKILL),
    ],
}


@pytest.mark.parametrize("runtime", ["process", pytest.param("sandbox", marks=NO_BOX)])
@pytest.mark.parametrize("target", KILLED)
def test_a_grading_that_is_killed_ends_at_once(target: str, runtime: str, submission: Path) -> None:
    before = mounts()
    with grading(submission, runtime) as one:
        one.wait_for_lines(Random(f"{target}/{runtime}").randrange(8))
        ids, running = run_ids(one.folder), handles(descendants(one.keeper.pid))
        assert len(running) > 4
        for pid, number in KILLED[target](one):
            os.kill(pid, number)

        await_ends(running, ENDED_SECONDS)
        assert one.keeper.wait(ENDED_SECONDS) == (-signal.SIGKILL if "keeper" in target else 3)

    sweep(one.folder)
    assert marked(ids) == []
    assert list(one.folder.glob("grading-*/*")) == []
    assert mounts() <= before


LOST: dict[str, tuple[str, Callable[[Grading], list[int]], int]] = {
    "wardens": ("process", lambda one: one.wardens("tiny.py"), signal.SIGKILL),
    "stopped-warden": ("process", lambda one: one.wardens("tiny.py")[:1], signal.SIGSTOP),
    "wardens-of-boxes": ("sandbox", lambda one: one.wardens("tiny.py"), signal.SIGKILL),
    "nest": ("sandbox", lambda one: one.find("chaos.sandbox.nest")[-1:], signal.SIGKILL),
    "stopped-nest": ("sandbox", lambda one: one.find("chaos.sandbox.nest")[-1:], signal.SIGSTOP),
    "proxy": ("process", lambda one: one.find("toxiproxy")[-1:], signal.SIGKILL),
    "stopped-proxy": ("process", lambda one: one.find("toxiproxy")[-1:], signal.SIGSTOP),
}


SLOW = {"stopped-proxy", "nest", "stopped-warden"}
"""What is given up only after many waits."""


@pytest.mark.parametrize(
    "target", [pytest.param(one, marks=pytest.mark.long) if one in SLOW else one for one in LOST]
)
def test_a_grading_that_loses_a_part_comes_to_an_end(target: str, submission: Path) -> None:
    runtime, find, number = LOST[target]
    if runtime == "sandbox" and refusal(find_bubblewrap()):
        pytest.skip("no box can be made here by this user")
    with grading(submission, runtime) as one:
        one.wait_for_lines(Random(target).randrange(3))
        ids, pids = run_ids(one.folder), find(one)
        assert pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _, errors = one.keeper.communicate(timeout=WHOLE_SECONDS)

    assert one.keeper.returncode in {1, 3}
    # A log of the service's own, which the report shows, may have one.
    assert not re.search(r"^Traceback", errors, re.MULTILINE)
    assert marked(ids) == []
    assert list(one.folder.glob("grading-*/*")) == []
