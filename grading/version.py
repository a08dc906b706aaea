"""Which grader this is: its version, with a digest of the code and the rubrics that it judges by."""

import functools
import hashlib
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PACKAGES = ("chaos", "exercises", "grading", "lab")
_SUFFIXES = {".py", ".toml"}
_NOT_RUN = {"solution", "starter", "__pycache__"}


@functools.cache
def grader_version() -> str:
    """Return the version with the digest of the grader's files, such as `1.0.0+3f2a1c9b04de`."""
    digest = hashlib.sha256()
    for path in _files():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(_ROOT).as_posix()}\0{content}\n".encode())
    return f"{_released()}+{digest.hexdigest()[:12]}"


def _files() -> Iterator[Path]:
    for package in _PACKAGES:
        for folder, inner, names in os.walk(_ROOT / package):
            inner[:] = sorted(set(inner) - _NOT_RUN)
            yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in _SUFFIXES)


def _released() -> str:
    try:
        return metadata.version("llm-production-exam")
    except metadata.PackageNotFoundError:
        return "0"
