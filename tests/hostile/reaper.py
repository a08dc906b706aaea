"""Runs a program and tells which of its descendants outlive it.

`python reaper.py REPORT PROGRAM ARGUMENT...`

It inherits all that the program leaves behind, wherever that hides: a session of its own, a cleared environment. REPORT
gets their command lines as JSON.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 5.0
"""What has been killed still has to be collected by its parents, which takes longer where much else runs."""


def main(report: Path, argv: list[str]) -> int:
    """Run `argv`, write down what is left of it, end that, and return its exit code."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(argv)
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    code = program.wait()
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := remaining()) and time.monotonic() < deadline:
        time.sleep(0.05)
    report.write_text(json.dumps(list(left.values())), encoding="utf-8")
    while left:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        left = remaining()
    return code


def remaining() -> dict[int, str]:
    """Return the command lines of the children that run, after those that have ended were collected."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return {}
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid): commandline(int(pid)) for pid in children}


def commandline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "?"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
