import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.calibrate.busy import busy_loops

pytestmark = pytest.mark.medium


def children() -> list[int]:
    return [
        int(word)
        for task in Path("/proc/self/task").iterdir()
        for word in (task / "children").read_text().split()
    ]


def test_busy_loops_end_with_their_context() -> None:
    before = set(children())
    with busy_loops(2):
        assert len(set(children()) - before) == 2
    assert set(children()) == before


def test_a_busy_loop_ends_with_whoever_asked_for_it() -> None:
    program = (
        "import os, time\nfrom grading.calibrate.busy import busy_loops\n"
        "with busy_loops(1):\n"
        "    [child] = open(f'/proc/self/task/{os.getpid()}/children').read().split()\n"
        "    print(child, flush=True)\n"
        "    os._exit(1)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    loop = int(told.stdout)

    until = time.monotonic() + 20
    while time.monotonic() < until and Path(f"/proc/{loop}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{loop}").exists()
