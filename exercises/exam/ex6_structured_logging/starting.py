"""Tells from the command that starts a service which of its modules is the main one."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from chaos.history import File

_APPLICATION = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(\))?")
"""How servers are told the application: `api.main:app`."""


def main_module(
    commands: Iterable[str], modules: Sequence[PurePosixPath], usual: PurePosixPath
) -> PurePosixPath | None:
    """Return the module that a command starts, the `usual` one if it may be that; None if it is not among the modules."""
    for command in commands:
        for named in _named(command.split()):
            found = [path for path in modules if f"/{path}".endswith(f"/{named}")]
            if found:
                return usual if usual in found else min(found, key=lambda path: len(path.parts))
    return None


def configured(pyproject: File | None) -> str:
    """Return the command under [tool.grading] in a pyproject.toml; an empty one if there is none."""
    try:
        command = tomllib.loads(pyproject.text if pyproject else "")["tool"]["grading"]["command"]
    except (tomllib.TOMLDecodeError, RecursionError, LookupError, TypeError):
        return ""
    return " ".join(map(str, command)) if isinstance(command, list) else str(command)


def _named(words: Sequence[str]) -> Iterator[str]:
    """Yield the paths that the words of a command may name as the main module, the likeliest first.

    A server is told the application, and may have a file of settings in Python too.
    """
    pairs = list(pairwise(words))
    applications = [found[1] for word in words if (found := _APPLICATION.fullmatch(word))]
    for folder in [f"{word}/" for before, word in pairs if before == "--app-dir"] + [""]:
        yield from (f"{folder}{path}" for module in applications for path in _paths(module))
    yield from (path for before, word in pairs if before == "-m" for path in _paths(word))
    yield from (word.removeprefix("./") for word in words if word.endswith(".py"))


def _paths(module: str) -> Iterator[str]:
    path = module.replace(".", "/")
    yield from (f"{path}.py", f"{path}/__init__.py", f"{path}/__main__.py")
