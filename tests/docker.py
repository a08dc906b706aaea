"""Docker's command line, and whether an engine answers it."""

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from grading.images import PYTHON_IMAGE

PYTHON = os.environ.get(PYTHON_IMAGE) or "python:3.11-slim"


def docker(
    *words: str, folder: Path | None = None, env: Mapping[str, str] | None = None, seconds: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run docker and return how it ended."""
    return subprocess.run(
        ["docker", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=seconds, check=False
    )


@functools.cache
def engine_answers() -> bool:
    """Return whether `docker info` works, asked once."""
    return shutil.which("docker") is not None and not docker("info").returncode
