"""Reads the Python sources of a submission: what they import, and which variables their settings read."""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from chaos.history import File
from lab.python_source import parsed

_ENVIRONMENT = re.compile(r"(?:\w*os\.)?environ")
_CALLS = re.compile(r"(?:\w*os\.)?(?:getenv|environ\.(?:get|setdefault|pop))")
_FOR_TYPE_CHECKERS = {"_typeshed"}
_READERS = {"environs", "decouple", "starlette.config"}
_READER = re.compile(r"(?:self\.|decouple\.)?_?(?:env|config)(?:\.\w+)?", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_OF_THE_MACHINE = {"PATH", "HOME", "TMPDIR", "HOST", "PORT", "PYTHONPATH", "HOSTNAME", "USER", "PWD"}


def imports(files: Sequence[File]) -> dict[str, str]:
    """Return the packages that modules import from outside, each with the first file that does.

    One that the code can do without is not among them: an ImportError of it is caught.
    """
    found: dict[str, str] = {}
    for file, tree in parsed(files):
        optional = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.Try) and any(map(_catches_import_errors, node.handlers))
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if node in optional:
                continue
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names | _FOR_TYPE_CHECKERS:
                    found.setdefault(top, file.path)
    return found


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and bool(
        re.search(r"\b(?:ImportError|ModuleNotFoundError)\b", ast.unparse(handler.type))
    )


def variables_read(files: Sequence[File]) -> dict[str, str]:
    """Return the variables that the code reads from the environment, each with the file that does.

    They are found where `os.environ`, `os.getenv` or a reader of environs, decouple or starlette.config is given a name,
    and as the fields of settings classes: those that inherit from pydantic's BaseSettings, directly or by a class of the
    submission's. A field that is a group of settings itself has no variable of its own.
    """
    found: dict[str, str] = {}
    modules = list(parsed(files))
    classes = set(settings_classes([tree for _, tree in modules]))
    groups = {
        node.name
        for _, tree in modules
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not _is_enumeration(node)
    }
    for file, tree in modules:
        own = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node in classes]
        for name in [
            *_from_environment(tree),
            *_from_readers(tree),
            *(one for node in own for one in _fields(node, groups)),
        ]:
            if name not in _OF_THE_MACHINE:
                found.setdefault(name, file.path)
    return found


def settings_classes(trees: Sequence[ast.Module]) -> list[ast.ClassDef]:
    """Return the classes that inherit from BaseSettings, directly or by another one."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {"BaseSettings"}
    while True:
        found = [node for node in classes if any(_last(base) in names for base in node.bases)]
        if {node.name for node in found} <= names:
            return found
        names |= {node.name for node in found}


def environment_reads(tree: ast.AST) -> Iterator[ast.Call | ast.Subscript]:
    """Yield where `os.environ` or `os.getenv` is asked for something.

    What WSGI calls `environ` is a request: an argument, or an attribute of something else than `os`.
    """
    nodes = list(ast.walk(tree))
    is_request = any(isinstance(node, ast.arg) and node.arg == "environ" for node in nodes)
    for node in nodes:
        if isinstance(node, ast.Call) and node.args:
            told, pattern = ast.unparse(node.func), _CALLS
        elif isinstance(node, ast.Subscript):
            told, pattern = ast.unparse(node.value), _ENVIRONMENT
        else:
            continue
        if pattern.fullmatch(told) and not (is_request and told.startswith("environ")):
            yield node


def _from_environment(tree: ast.Module) -> Iterator[str]:
    for node in environment_reads(tree):
        yield from _name(node.args[0] if isinstance(node, ast.Call) else node.slice)


def _from_readers(tree: ast.Module) -> Iterator[str]:
    """Yield what `env.str("NAME")` and `config("NAME")` read; nothing in a module that adds prefixes to names."""
    nodes = list(ast.walk(tree))
    origins = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    origins |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    if not origins & _READERS or any(
        isinstance(node, ast.Attribute) and node.attr == "prefixed" for node in nodes
    ):
        return
    for node in nodes:
        if isinstance(node, ast.Call) and node.args and _READER.fullmatch(ast.unparse(node.func)):
            yield from _name(node.args[0])


def _name(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value):
        yield node.value


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _is_enumeration(node: ast.ClassDef) -> bool:
    return any("Enum" in ast.unparse(base) for base in node.bases)


def _fields(node: ast.ClassDef, groups: AbstractSet[str]) -> Iterator[str]:
    """Yield the variables of a settings class: the names of its fields, or the aliases that these have."""
    prefix = _prefix(node)
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name = field.target.id
        if name.startswith("_") or name == "model_config" or "ClassVar" in ast.unparse(field.annotation):
            continue
        if any(isinstance(one, ast.Name) and one.id in groups for one in ast.walk(field.annotation)):
            continue
        yield _alias(field.value) or _alias(field.annotation) or f"{prefix}{name}".upper()


def _prefix(node: ast.ClassDef) -> str:
    text = ast.unparse(node)
    found = re.search(r"env_prefix\s*=\s*['\"](\w*)['\"]", text)
    return found[1] if found else ""


def _alias(tree: ast.expr | None) -> str | None:
    """Return the name that a field's value or annotation gives it: `Field(alias="...")` and the like."""
    keywords = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)] if tree else []
    for keyword in keywords:
        if keyword.arg in {"alias", "validation_alias", "env"}:
            names = [node.value for node in ast.walk(keyword.value) if isinstance(node, ast.Constant)]
            return next((name.upper() for name in names if isinstance(name, str)), None)
    return None
