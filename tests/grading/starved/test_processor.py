"""A grader that gets next to no processor, or none at all for seconds, and still gives no wrong verdict."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grading.starved.grader import Grader

pytestmark = pytest.mark.slow

PERIOD = 100_000
"""Microseconds, over which the kernel counts a quota."""
QUOTA = 0.04
"""The share of one processor that a grader, its services and its fault proxy have together."""
SLOWED = [("reference", 5), ("checks-one-after-another", 5)]
AGAIN = "running again"
EXPERIMENTS = 4
"""Exercise 5 has so many; they are slowed down when all of them run."""
FROZEN = [
    ("reference", 4),
    ("constant-pauses", 4),
    ("half-open-lets-all-through", 3),
    ("open-for-business-while-draining", 2),
    ("checks-one-after-another", 5),
    ("reference", 6),
]
BETWEEN = (2.0, 7.0)
ASLEEP = (1.0, 3.0)
ENDING_SECONDS = 20.0

SPIN = """
import time
began = time.monotonic()
while time.process_time() < 0.2:
    pass
print(time.monotonic() - began)
"""


class Quota:
    """A control group (of version 1 or 2) whose members share a part of a processor."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.wrapper = ["sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"]

    def limit(self, share: float) -> None:
        quota = int(share * PERIOD)
        if (self._folder / "cpu.max").exists():
            (self._folder / "cpu.max").write_text(f"{quota} {PERIOD}")
        else:
            (self._folder / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self._folder / "cpu.cfs_quota_us").write_text(str(quota))

    def slows(self) -> bool:
        """Whether work takes as much longer in here as it should, or half of that: a sandbox may ignore quotas."""
        self.limit(QUOTA)
        slowed, usual = _spin(self.wrapper), _spin([])
        self.limit(1)
        return slowed > usual / QUOTA / 2


def _spin(before: list[str]) -> float:
    """Return the seconds that some work takes."""
    argv = [*before, sys.executable, "-c", SPIN]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


@contextlib.contextmanager
def quota(name: str) -> Iterator[Quota]:
    """Make a control group; skips the test if that is not allowed, or a quota has no effect."""
    parents = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")]
    parent = next(one for one in parents if one.exists())
    folder = parent / f"starved-{os.getpid()}-{name}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        if not any((folder / file).exists() for file in ("cpu.max", "cpu.cfs_quota_us")):
            pytest.skip("the processor is under no control here")
        made = Quota(folder)
        try:
            slows = made.slows()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no process can be put under a quota: {error}")
        if not slows:
            pytest.skip("a quota on the processor slows nothing down here")
        yield made
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a control group once its last process has ended: those of a grader that was killed end on their own."""
    deadline = time.monotonic() + ENDING_SECONDS
    while (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    folder.rmdir()


def test_a_quota_on_the_processor_gives_no_wrong_verdict(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        graders = []
        # All groups before the first grader: whether a quota slows things down is measured on a quiet machine.
        groups = [stack.enter_context(quota(f"{name}-{exercise}")) for name, exercise in SLOWED]
        for group, (name, exercise) in zip(groups, SLOWED, strict=True):
            grader = stack.enter_context(Grader(name, exercise, tmp_path, before=group.wrapper))
            graders.append((group, grader))
        for group, grader in graders:
            for _ in range(EXPERIMENTS):
                grader.wait_for(": running")
            group.limit(QUOTA)
        results = [grader.result() for _, grader in graders]

    assert {result.case.name: result.wrong() for result in results if result.wrong()} == {}
    assert set.union(*(result.blamed() for result in results)) <= {"machine"}


def test_what_a_quota_has_left_open_is_run_again_and_judged_once_it_is_lifted(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(quota("passing"))
        grader = stack.enter_context(Grader("checks-one-after-another", 5, tmp_path, before=group.wrapper))
        for _ in range(EXPERIMENTS):
            grader.wait_for(": running")
        group.limit(QUOTA)
        again = grader.says(AGAIN)
        group.limit(1)
        result = grader.result()

    assert result.wrong() == []
    assert result.open() == []
    assert bool(result.report["repeated"]) == again
    if not again:
        pytest.skip("the grader had judged everything in spite of the quota")


def test_a_grader_that_sleeps_while_its_services_run_gives_no_wrong_verdict(tmp_path: Path) -> None:
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        graders = [stack.enter_context(Grader(name, exercise, tmp_path)) for name, exercise in FROZEN]
        for number, grader in enumerate(graders):
            sleeper = threading.Thread(target=_freeze, args=(grader.process, random.Random(number), over))
            sleeper.start()
            stack.callback(sleeper.join)
        stack.callback(over.set)
        results = [grader.result() for grader in graders]

    assert {f"{one.case.name}: {one.wrong()}" for one in results if one.wrong()} == set()


def _freeze(process: subprocess.Popen[str], source: random.Random, over: threading.Event) -> None:
    """Stop a process for some seconds, now and then, until it has ended or all is over."""
    while not over.wait(source.uniform(*BETWEEN)) and process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        over.wait(source.uniform(*ASLEEP))
        process.send_signal(signal.SIGCONT)
