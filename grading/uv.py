"""Finds uv, which installs submissions and locks hand-outs."""

import shutil
import sys
from pathlib import Path

from grading.errors import MachineError


def find_uv() -> str:
    """Return the path of uv: on PATH, or else beside this Python. Raises MachineError if there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise MachineError(
            "uv is not installed; see https://docs.astral.sh/uv/getting-started/installation/."
        )
    return found
