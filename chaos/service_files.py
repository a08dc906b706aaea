"""Finds the source files of a service in its repository: not its tests, nor what is generated or installed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from chaos.files import MOST_ENTRIES

_NOT_THE_SERVICE: Final = frozenset(
    {
        *(
            "tests",
            "test",
            "__tests__",
            "spec",
            "docs",
            "scripts",
            "deploy",
            "migrations",
            "versions",
            "alembic",
        ),
        *("node_modules", "venv", "env", "dist", "build", "coverage", "generated", "__pycache__"),
    }
)
_THE_GRADER: Final = ("chaos", "exercises", "grading", "lab")
"""Folders that a hand-out has, all of them, beside the service."""


def service_files(place: Path) -> Iterator[Path]:
    """Yield the files of the service below a folder, whatever their endings. No link is followed."""
    has_the_grader = all((place / name).is_dir() for name in _THE_GRADER)
    left_out = {place / name for name in _THE_GRADER} if has_the_grader else set()
    waiting, left = [place], MOST_ENTRIES
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            left -= 1
            if left < 0:
                return
            if path.is_symlink() or path.name.startswith(".") or path.name in _NOT_THE_SERVICE:
                continue
            if path in left_out:
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                yield path


def file_among(files: Iterable[Path], stem: str) -> Path | None:
    """Return a path with this stem in the folder that has most of the files, by the ending of most; None without files."""
    found = Counter((path.parent, path.suffix) for path in files)
    if not found:
        return None
    (folder, suffix), _ = max(found.items(), key=lambda one: (one[1], -len(one[0][0].parts)))
    return folder / f"{stem}{suffix}"
