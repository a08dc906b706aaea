"""Who may know whom: exercises -> lab -> chaos and grading -> lab, one way only, and nothing there knows the exam."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exam import CONTRACT

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "chaos": {"chaos"},
    "lab": {"chaos", "lab"},
    "exercises": {"chaos", "lab", "exercises"},
    "grading": {"chaos", "lab", "grading"},
    "src/api": {"api"},
}
OURS = {"api", "chaos", "exercises", "grading", "lab"}
COMPOSITION_ROOT = "grading/cli.py"
"""The command line alone sees the catalogue."""


def modules(folder: str) -> Iterator[Path]:
    return (path for path in (ROOT / folder).rglob("*.py") if "starter" not in path.parts)


def imported(path: Path) -> set[str]:
    """The packages of ours that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found & OURS


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_go_one_way(folder: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): other
        for path in modules(folder)
        if (other := imported(path) - MAY_IMPORT[folder])
    }

    assert wrong == ({COMPOSITION_ROOT: {"exercises"}} if folder == "grading" else {})


@pytest.mark.parametrize("folder", ["chaos", "grading", "lab"])
def test_nothing_below_the_exercises_knows_the_exam(folder: str) -> None:
    assert CONTRACT.ask
    assert CONTRACT.login
    paths = {
        CONTRACT.ask.path,
        CONTRACT.login.path,
        CONTRACT.endpoints["me"],
        CONTRACT.endpoints["readiness"],
    }
    words = {*CONTRACT.ask.models, *(set(CONTRACT.names) - {"ENVIRONMENT"}), *paths, str(CONTRACT.start.main)}
    known = re.compile("|".join(map(re.escape, words)))
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in modules(folder)
        for match in known.finditer(_code(path))
    ]

    assert found == []


def _code(path: Path) -> str:
    """The texts of a module, docstrings included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
