"""Reads recorded files of Python as syntax trees; nothing of them is run."""

import ast
from collections.abc import Iterator, Sequence

from chaos.history import File


def parsed(files: Sequence[File]) -> Iterator[tuple[File, ast.Module]]:
    """Yield the modules that can be read, each with its tree."""
    for file in files:
        if file.path.endswith(".py"):
            try:
                yield file, ast.parse(file.text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
