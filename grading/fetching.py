"""Whether uv can fetch a submission's packages without running, writing or telling anything else that the submission asks for.

What this refuses is installed too, by a box that shares no cache with others and has no credentials.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from grading.errors import SubmissionError
from grading.recipe import Recipe

_SETTINGS: Final = frozenset((
    "index", "index-url", "extra-index-url", "no-index", "index-strategy", "sources", "no-sources",
    "no-sources-package",
    "constraint-dependencies", "build-constraint-dependencies", "override-dependencies",
    "exclude-dependencies", "dependency-metadata",
    "resolution", "prerelease", "prerelease-package", "fork-strategy", "exclude-newer",
    "exclude-newer-package",
    "environments", "required-environments", "minimum-libc-version", "conflicts", "required-version",
    "dev-dependencies", "default-groups", "dependency-groups", "managed", "package", "build-backend",
    "cache-keys", "no-build", "no-build-package",
))  # fmt: skip
"""The settings in [tool.uv] that choose what is fetched, and nothing else."""
_INDEX: Final = frozenset(
    ("name", "url", "default", "explicit", "format", "authenticate", "publish-url", "ignore-error-codes")
)
"""Not `cache-control`: how long an answer is kept in the shared cache is not for one submission to say."""
_SOURCE: Final = frozenset(("index", "url", "marker", "extra", "group"))
_VARIABLE: Final = "${"
_ELSEWHERE: Final = re.compile(r"^\s*(-r|--requirement|-c|--constraint).*://", re.MULTILINE)
_SCRIPT: Final = re.compile(r"^# /// script\b", re.MULTILINE)


def only_fetches(recipe: Recipe, root: Path) -> bool:
    """Whether uv only fetches wheels for a recipe if it is to build nothing. `root` has the recipe's files.

    Even then it builds what is editable, puts values in place of variables, and does what its settings say. Raises
    SubmissionError if a file is not valid TOML.
    """
    if recipe.files is None:
        return False
    wanted = recipe.requirements
    if any(_VARIABLE in word for word in (*wanted.packages, *wanted.options)):
        return False
    return all(_only_chooses(root, path) for path in recipe.files)


def _only_chooses(root: Path, path: Path) -> bool:
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    match path.name:
        case "pyproject.toml":
            table = _parsed(path, text)
            # Other tools have variables of their own in pyproject.toml.
            tool = table.pop("tool", None)
            settings = tool.get("uv", {}) if isinstance(tool, dict) else {}
            return _are_choices(settings) and not _names_variables([table, settings])
        case "uv.lock":
            table = _parsed(path, text)
            # A lock's own project, which is not installed, is editable as a rule.
            editable = sum("editable" in one for one in _values(table) if isinstance(one, dict))
            return editable <= 1 and not _names_variables(table)
        case _:
            # Beside requirements, uv reads settings, locks and scripts, which have settings of their own.
            return (
                path.suffix != ".toml"
                and _VARIABLE not in text
                and not _ELSEWHERE.search(text)
                and not _SCRIPT.search(text)
            )


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SubmissionError(f"{path} is not valid TOML ({error}); correct it.") from error


def _are_choices(settings: Any) -> bool:
    if not isinstance(settings, dict) or not settings.keys() <= _SETTINGS:
        return False
    sources = settings.get("sources", {})
    return (
        isinstance(sources, dict)
        and _have_only(settings.get("index", []), _INDEX)
        and all(_have_only(one if isinstance(one, list) else [one], _SOURCE) for one in sources.values())
    )


def _have_only(tables: Any, keys: frozenset[str]) -> bool:
    return isinstance(tables, list) and all(isinstance(one, dict) and one.keys() <= keys for one in tables)


def _names_variables(table: Any) -> bool:
    return any(_VARIABLE in one for one in _values(table) if isinstance(one, str))


def _values(table: Any) -> Iterator[Any]:
    """Yield a document and all values in it, at any depth."""
    waiting = [table]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
