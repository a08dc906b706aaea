"""A submission's linter, run as a process: real ones, and stand-ins for those of Node.js."""

import sys
from pathlib import Path

import pytest

from chaos.history import Linted
from chaos.linter import INSTANCE, run_linter
from chaos.program import ProcessProgram
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

CLEAN = "def double(number):\n    return 2 * number\n"
UNUSED = "import os\n"
TOLD = """#!/bin/sh
# Tells of every file that has a `debugger` or a bracket that is left open, and fails on the latter.
grep -l debugger src/*
grep -l '^($' src/* && exit 1
exit 0
"""


def program(root: Path, files: dict[str, str], *, package: bool = False) -> ProcessProgram:
    repository = root / "repository"
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    tools = repository / "node_modules/.bin" if package else Path(sys.executable).parent
    return ProcessProgram(
        argv=lambda _host, _port: [],
        env=lambda _host, _port: {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(root)},
        python=Path(sys.executable),
        root=root,
        repository=repository,
        workdir=repository,
        package=repository if package else None,
    )


async def linted(root: Path, files: dict[str, str], *, package: bool = False) -> tuple[Linted, list[str]]:
    """Run the linter of a submission; returns how that went, and what the second run said."""
    recorder = Recorder()
    before = sorted(files)
    outcome = await run_linter(program(root, files, package=package), recorder, variables={})
    repository = root / "repository"
    after = [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]
    assert sorted(after) == before
    return outcome, [
        event.text for event in recorder.history().instance(INSTANCE).events if hasattr(event, "text")
    ]


async def test_ruff_by_the_submissions_configuration(tmp_path: Path) -> None:
    outcome, _ = await linted(
        tmp_path, {"src/a.py": CLEAN, "pyproject.toml": "[tool.ruff.lint]\nselect = ['E', 'F']\n"}
    )
    assert (outcome.code, outcome.problem) == (0, "")


async def test_what_it_finds_is_told(tmp_path: Path) -> None:
    outcome, lines = await linted(tmp_path, {"src/a.py": UNUSED, "ruff.toml": ""})
    assert (outcome.code, outcome.problem) == (1, "")
    assert any("a.py:1:8: F401" in line for line in lines)


async def test_without_configuration_the_one_that_is_installed_runs(tmp_path: Path) -> None:
    outcome, _ = await linted(tmp_path, {"src/a.py": UNUSED})
    assert outcome.code == 1


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ("exclude = ['src']\n", "did not name it"),
        ("[lint]\nignore = ['ALL']\n", "did not name it"),
        ("[lint]\nselect = []\n", "did not name it"),
        ("[lint.per-file-ignores]\n'*' = ['ALL']\n", "did not name it"),
    ],
)
async def test_a_linter_that_looks_at_nothing_does_not_count(
    configuration: str, problem: str, tmp_path: Path
) -> None:
    outcome, _ = await linted(tmp_path, {"src/a.py": UNUSED, "ruff.toml": configuration})
    assert outcome.code is None
    assert problem in outcome.problem


async def test_what_mends_files_by_itself_mends_nothing_here(tmp_path: Path) -> None:
    outcome, _ = await linted(tmp_path, {"src/a.py": UNUSED, "ruff.toml": "fix = true\n"})
    assert outcome.code == 1
    assert (tmp_path / "repository/src/a.py").read_text() == UNUSED


async def test_the_folder_with_most_of_the_service_is_looked_at(tmp_path: Path) -> None:
    files = {f"tests/test_{number}.py": CLEAN for number in range(5)}
    files |= {
        "tool.py": CLEAN,
        "app/a.py": CLEAN,
        "app/b.py": CLEAN,
        "ruff.toml": "extend-exclude = ['app']\n",
    }
    outcome, _ = await linted(tmp_path, files)
    assert "put into the folder app for a moment" in outcome.problem


async def test_the_grader_of_a_hand_out_is_not_the_service(tmp_path: Path) -> None:
    grader = ("chaos", "exercises", "grading", "lab")
    files = {f"{folder}/{name}.py": UNUSED for folder in grader for name in "abc"}
    configuration = f"extend-exclude = {[*grader]}\n[lint]\nselect = ['E', 'F']\n"
    outcome, _ = await linted(tmp_path, {**files, "src/a.py": CLEAN, "ruff.toml": configuration})
    assert (outcome.code, outcome.problem) == (0, "")


async def test_a_script_of_package_json(tmp_path: Path) -> None:
    files = {
        "package.json": '{"scripts": {"lint": "eslint src"}}',
        "node_modules/.bin/eslint": TOLD,
        "src/a.js": "const one = 1;\n",
    }
    outcome, _ = await linted(tmp_path, files, package=True)
    assert (outcome.code, outcome.problem) == (0, "")


async def test_without_a_script_a_linter_that_is_installed_runs(tmp_path: Path) -> None:
    files = {"package.json": "{}", "node_modules/.bin/oxlint": TOLD, "src/a.js": "const one = 1;\n"}
    outcome, _ = await linted(tmp_path, files, package=True)
    assert outcome.code == 0


async def test_what_ends_before_the_linter_for_a_syntax_error_hides_nothing(tmp_path: Path) -> None:
    """A compiler that runs first, as in `tsc --noEmit && eslint src`."""
    files = {
        "package.json": '{"scripts": {"lint": "compiler && eslint src"}}',
        "node_modules/.bin/compiler": "#!/bin/sh\n! grep -l '^($' src/*\n",
        "node_modules/.bin/eslint": TOLD,
        "src/a.js": "const one = 1;\n",
    }
    outcome, _ = await linted(tmp_path, files, package=True)
    assert (outcome.code, outcome.problem) == (0, "")


@pytest.mark.parametrize(
    ("scripts", "problem"),
    [
        ("{}", "no linter is installed"),
        ('{"lint": "true"}', "did not name it"),
        ('{"lint": "ls src"}', "ended with exit code 0"),
    ],
)
async def test_a_script_that_is_no_linter(scripts: str, problem: str, tmp_path: Path) -> None:
    files = {"package.json": f'{{"scripts": {scripts}}}', "src/a.js": "const one = 1;\n"}
    outcome, _ = await linted(tmp_path, files, package=True)
    assert outcome.code is None
    assert problem in outcome.problem


async def test_a_service_without_source_files(tmp_path: Path) -> None:
    outcome, _ = await linted(tmp_path, {"README.md": "Nothing yet.\n"})
    assert outcome.problem == "there is no source file to look at"
