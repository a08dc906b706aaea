"""Reads recorded files of Python as syntax trees; nothing of them is run."""

import ast
from collections.abc import Iterator, Sequence

from chaos.history import File

Function = ast.FunctionDef | ast.AsyncFunctionDef
Assignment = ast.Assign | ast.AnnAssign
MAKING = frozenset({"__init__", "__new__", "__post_init__"})
"""The methods that make an object."""


def parsed(files: Sequence[File]) -> Iterator[tuple[File, ast.Module]]:
    """Yield the modules that can be read, each with its tree."""
    for file in files:
        if file.path.endswith(".py"):
            try:
                yield file, ast.parse(file.text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue


def targets_of(node: Assignment) -> list[ast.expr]:
    """Return what an assignment assigns to."""
    return node.targets if isinstance(node, ast.Assign) else [node.target]
