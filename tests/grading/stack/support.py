"""Stacks on ports of their own, so that tests disturb neither each other nor a stack that is in use."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from chaos.ports import free_port
from grading.stack.ports import Ports
from tests.exam import CONTRACT

TINY = Path(__file__).parents[2] / "services" / "tiny.py"


def free_ports(**chosen: int) -> Ports:
    """Ports that nobody has; `chosen` are the service's, the control API's, or those of an upstream's proxy."""
    free: list[int] = []
    while len(free) < 2 + 2 * len(CONTRACT.upstreams):
        if (port := free_port()) not in free:
            free.append(port)
    given = {name: chosen.get(name, free.pop()) for name in ("service", "control", *CONTRACT.upstreams)}
    upstreams = {name: (given[name], free.pop()) for name in CONTRACT.upstreams}
    return Ports(service=given["service"], control=given["control"], upstreams=upstreams)


def submission(folder: Path, behaviour: str) -> Path:
    """A service of the standard library that starts at once; see tests/services/tiny.py."""
    folder.mkdir()
    shutil.copy(TINY, folder / "tiny.py")
    (folder / "requirements.txt").write_text("# the standard library alone\n")
    (folder / "pyproject.toml").write_text(f'[tool.grading]\ncommand = "python tiny.py {behaviour}"\n')
    return folder


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.05)
