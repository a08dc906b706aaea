"""A module's text with its syntax tree: places by name instead of line, and the text with some of it replaced."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate

MODULE = "module"
LONGEST_WORD = 40
_SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in which function or class, and the whole text that the module then has."""

    scope: str
    what: str
    text: str


class Source:
    """Python source. Replacing a node leaves all other text as it is, comments included."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._data = text.encode()
        # Columns of the tree count bytes.
        self._starts = [0, *accumulate(len(line) for line in self._data.splitlines(keepends=True))]

    def nodes(self, where: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
        """Yield each node with the qualified name of its function or class, if a pattern of `where` matches that.

        What is in neither is in `module`.
        """
        return ((scope, node) for scope, node in _walk(self.tree, "") if matches(scope, where))

    def old(self, node: ast.AST) -> str:
        """Return the text of a node."""
        start, end = self._span(node)
        return self._data[start:end].decode()

    def replaced(self, node: ast.AST, new: str) -> str:
        """Return the whole text with that of a node replaced."""
        start, end = self._span(node)
        return (self._data[:start] + new.encode() + self._data[end:]).decode()

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a name fits one of the patterns, in which `*` stands for any text."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def word(text: str) -> str:
    """Return the beginning of a text as part of a name that suits files and shells."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:LONGEST_WORD].rstrip("-.") or "empty"


def _walk(parent: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(parent):
        yield scope or MODULE, node
        inner = f"{scope}.{node.name}".lstrip(".") if isinstance(node, _SCOPES) else scope
        yield from _walk(node, inner)
