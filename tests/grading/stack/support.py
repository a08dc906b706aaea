"""Stacks on ports of their own, so that tests disturb neither each other nor a stack that is in use."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from chaos.ports import free_port
from grading.stack.ports import Ports

TINY = Path(__file__).parents[2] / "services" / "tiny.py"


def free_ports(**chosen: int) -> Ports:
    names = list(Ports.__dataclass_fields__)
    found: dict[str, int] = {}
    while len(found) < len(names):
        port = free_port()
        if port not in found.values():
            found[names[len(found)]] = port
    return Ports(**(found | chosen))


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
