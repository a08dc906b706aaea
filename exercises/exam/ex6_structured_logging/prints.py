"""Finds what prints in the service's Python files, and which files those are."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from chaos.contract import Contract
from chaos.history import File
from exercises.exam.ex6_structured_logging.starting import main_module

KINDS = (
    "a call of print",
    "builtins.print",
    "print under another name",
    "print handed on",
    "print of a library",
)
"""What is looked for."""

_PRINTERS = {"builtins", "rich"}
"""Modules with a function `print`."""
_NOT_THE_SERVICE = {"test", "tests", "script", "scripts", "venv", ".venv", "site-packages", "node_modules"}
_AROUND_THE_SERVICE = {
    "testing", "tools", "bin", "example", "examples", "demo", "docs", "doc", "notebooks", "benchmark", "benchmarks",
    "migrations", "alembic", "evaluation", "exercises", "grading", "chaos", "lab", "calibration", "env", "build", "dist",
}  # fmt: skip
_DOTTED = re.compile(r"(?P<quote>[\"'])(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?P=quote)")
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of statements, and of their clauses, that hold statements or clauses."""
_STARTED = {"main.py", "__main__.py", "app.py", "server.py", "asgi.py", "wsgi.py"}


@dataclass(frozen=True, slots=True)
class _Module:
    file: File
    path: PurePosixPath
    tree: ast.Module
    imported: frozenset[str]
    """The names of all that it imports, as far as they can be told from its text."""

    @property
    def names(self) -> Iterator[str]:
        """The names under which others can import it: from the repository's root, and from the folder `src` in it."""
        parts = self.path.with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        yield ".".join(parts)
        yield ".".join(parts[1:])
        if self.path.name != "__init__.py":
            yield parts[-1]


def folders_of_code(paths: Iterable[str]) -> list[str]:
    """Return the outermost folders that may have the service's files, by their names, of a repository with these paths."""
    found = {
        path.parts[0] for path in map(PurePosixPath, paths) if path.suffix == ".py" and len(path.parts) > 1
    }
    return sorted(found - _NOT_THE_SERVICE - _AROUND_THE_SERVICE)


def service_files(
    files: Iterable[File], contract: Contract, commands: Iterable[str] = ()
) -> list[tuple[File, list[int]]]:
    """Return the service's files with the lines of each that print.

    They are all below the folder of its main module, and what those import from elsewhere in the repository; without
    such a folder, all that have no other purpose by their names. `commands` say which module that is, if it is not the
    contract's. Files that cannot be parsed are left out.
    """
    served = (file for file in files if not _is_test(PurePosixPath(file.path)))
    modules = [module for file in served if (module := _parsed(file))]
    usual = PurePosixPath(contract.start.main)
    main = main_module(commands, [one.path for one in modules], usual) or usual
    # A program in the root may start the service by its name, and has other files beside it.
    home = usual.parent if main.parent == PurePosixPath() else main.parent
    chosen = [one for one in modules if one.path == main or one.path.is_relative_to(home)]
    if not any(one.path.is_relative_to(home) for one in chosen):
        chosen = [one for one in modules if _AROUND_THE_SERVICE.isdisjoint(one.path.parts[:-1])]
    chosen = _with_imported(chosen, modules)
    imported = _imported(chosen)
    return [(one.file, _prints(one)) for one in chosen if not _is_script(one, imported)]


def _parsed(file: File) -> _Module | None:
    if not file.path.endswith(".py"):
        return None
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _Module(file, PurePosixPath(file.path), tree, frozenset((*_imports(tree), *_named(file.text))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in _statements(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _prefixes(alias.name)
            case ast.ImportFrom():
                yield from _prefixes(node.module or "")
                for alias in node.names:
                    yield f"{node.module}.{alias.name}" if node.module else alias.name


def _named(text: str) -> Iterator[str]:
    """Yield the modules that stand in quotes: `include("llm.urls")` imports one."""
    for found in _DOTTED.finditer(text):
        yield from _prefixes(found["name"])


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all statements, at any depth: a tenth of what a tree holds. Imports are nowhere else."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in _BLOCKS:
            waiting += getattr(node, name, ())


def _is_test(path: PurePosixPath) -> bool:
    is_test = path.name.startswith("test_") or path.name.endswith("_test.py") or path.name == "conftest.py"
    return is_test or not _NOT_THE_SERVICE.isdisjoint(path.parts[:-1])


def _with_imported(chosen: list[_Module], modules: list[_Module]) -> list[_Module]:
    """Add the modules that those chosen import, and what these import in turn."""
    left = [one for one in modules if one not in chosen]
    while left:
        imported = _imported(chosen)
        found = [one for one in left if not imported.isdisjoint([*one.names][:2])]
        if not found:
            break
        chosen = chosen + found
        left = [one for one in left if one not in found]
    return chosen


def _imported(modules: Iterable[_Module]) -> set[str]:
    return {name for one in modules for name in one.imported}


def _is_script(module: _Module, imported: set[str]) -> bool:
    """Whether a module is run by itself, and neither the service's own beginning nor a part of it."""
    guarded = any(_is_main_guard(node) for node in module.tree.body)
    return guarded and module.path.name not in _STARTED and imported.isdisjoint(module.names)


def _prints(module: _Module) -> list[int]:
    """Return the lines that print, or hand `print` on, but for those that run only in a program of the module's own."""
    # Python reads wide letters as narrow ones.
    if module.file.text.isascii() and "print" not in module.file.text:
        return []
    served = [part for node in module.tree.body for part in _served(node)]
    return sorted({line for top in served for node in ast.walk(top) if (line := _printing_line(node))})


def _served(node: ast.stmt) -> list[ast.stmt]:
    """Return what of a statement also runs where its module is imported."""
    return node.orelse if isinstance(node, ast.If) and _is_main_guard(node) else [node]


def _printing_line(node: ast.AST) -> int | None:
    """Return the line of a node that takes `print` to call it, or to hand it on; None for any other."""
    match node:
        case ast.Name(id="print", ctx=ast.Load(), lineno=line):
            return line
        case ast.Attribute(value=ast.Name(id=module), attr="print", lineno=line) if module in _PRINTERS:
            return line
        case ast.ImportFrom(module=module, names=names, lineno=line) if module in _PRINTERS:
            return line if any(alias.name == "print" for alias in names) else None
    return None


def _is_main_guard(node: ast.stmt) -> bool:
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[other])):
            return isinstance(other, ast.Constant) and other.value == "__main__"
        case ast.If(
            test=ast.Compare(left=ast.Constant(value="__main__"), ops=[ast.Eq()], comparators=[other])
        ):
            return isinstance(other, ast.Name) and other.id == "__name__"
    return False


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
