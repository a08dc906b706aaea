"""A fault proxy that is killed while experiments run: they run again, with another one."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from chaos.toxiproxy.launch import SERVER_VARIABLE, find_server
from tests.grading.starved.grader import Grader

pytestmark = pytest.mark.slow

REAL = Path(__file__).parents[3] / ".tools/bin/toxiproxy-server"
CASES = [
    ("reference", 5, "running 'outages'"),
    ("constant-pauses", 4, "running 'transient'"),
    ("reference", 1, "experiments"),
]


def servers() -> dict[str, str]:
    """Return what TOXIPROXY_SERVER is for each kind of server that there is here; nothing is the embedded one."""
    real = os.fspath(REAL) if REAL.exists() else os.fspath(find_server() or "")
    return {"embedded": "", **({"real": real} if real else {})}


@pytest.mark.parametrize("kind", servers())
def test_a_fault_proxy_that_dies_once_gives_no_wrong_verdict(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        variables = {SERVER_VARIABLE: servers()[kind]}
        graders = [
            (stack.enter_context(Grader(name, exercise, tmp_path, variables=variables)), moment)
            for name, exercise, moment in CASES
        ]
        for grader, moment in graders:
            grader.wait_for(moment)
            _kill_proxy(grader)
        results = [grader.result() for grader, _ in graders]

    assert {result.case.name: result.wrong() for result in results if result.wrong()} == {}
    assert [result.open() for result in results] == [[]] * len(results)
    assert all(result.report["repeated"] for result in results)


def _kill_proxy(grader: Grader) -> None:
    """Kill the fault proxy among what a grader has started; it comes a moment after the line that tells of it."""
    while grader.process.poll() is None:
        for pid in grader.descendants():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                if words[0].endswith("toxiproxy-server") or "chaos.toxiproxy_server" in words:
                    os.kill(pid, signal.SIGKILL)
                    return
    raise AssertionError("the grader ended before its fault proxy could be killed")
