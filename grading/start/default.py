"""The start of a service whose repository says nothing about it: from where its application is."""

import sys
from pathlib import Path, PurePosixPath

from grading.start.container import Container
from grading.start.errors import UnclearStartError
from grading.start.python_source import imports
from grading.submission import Submission


def container(submission: Submission, main: Path) -> Container:
    """Return the start of the application in the module `main`, which is flat modules or part of a package.

    Raises UnclearStartError if there is no such module.
    """
    text = submission.text(main)
    if text is None:
        raise UnclearStartError(f"Nothing says how the service is started, and there is no {main}")
    words, folder = _start(submission, main, imports(text))
    return Container(
        submission, "default", str(main), workdir=PurePosixPath("/") / folder, command=["uvicorn", *words]
    )


def _start(submission: Submission, main: Path, imported: set[str]) -> tuple[list[str], Path]:
    """Return uvicorn's arguments, and the folder to run it in."""
    folder, module = main.parent, main.stem
    if _is_flat(submission, folder, imported):
        return [f"{module}:app"], folder
    top, *below = folder.parts
    if not below or top in imported:
        return [f"{'.'.join(folder.parts)}.{module}:app"], Path()
    return [f"{folder.name}.{module}:app", "--app-dir", str(folder.parent)], Path()


def _is_flat(submission: Submission, folder: Path, imported: set[str]) -> bool:
    """Whether the modules of `folder` import each other by their bare names."""
    if not folder.parts:
        return True
    if imported & {"", *folder.parts}:
        return False
    entries = (submission.root / folder).iterdir()
    siblings = {entry.stem for entry in entries if entry.is_dir() or entry.suffix == ".py"}
    if imported & (siblings - sys.stdlib_module_names):
        return True
    return not submission.has(folder / "__init__.py")
