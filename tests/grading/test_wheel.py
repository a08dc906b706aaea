"""The wheel is all of the grader: it is installed into an environment of its own and used from an empty folder."""

import filecmp
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from exercises.catalogue import NAMES
from grading.autograder.export import Platform, export_autograder
from grading.handout import write_handout
from tests.exam import EXAM

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*argv: Path | str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def installed(folder: Path, requirement: str, *options: str) -> Path:
    """Return the commands of a new environment that holds `requirement`."""
    made = run(UV, "venv", "--quiet", "--python", sys.executable, folder, folder=folder.parent)
    assert made.returncode == 0, made.stderr
    install = (UV, "pip", "install", "--quiet", "--python", folder)
    done = run(*install, *options, requirement, folder=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, folder=ROOT)
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("environment") / "venv", f"{wheel}[grading]")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_explains_each_assessment(commands: Path, name: str, tmp_path: Path) -> None:
    told = run(commands / "grading", "explain", "3", "--assessment", name, folder=tmp_path)

    assert told.returncode == 0, told.stderr
    assert "Exercise 3" in told.stdout


@pytest.mark.slow
def test_it_writes_the_hand_out_that_the_repository_writes(commands: Path, tmp_path: Path) -> None:
    written = run(commands / "grading", "handout", "mine", folder=tmp_path)
    write_handout(tmp_path / "expected", EXAM)

    assert written.returncode == 0, written.stderr
    assert contents(tmp_path / "mine") == contents(tmp_path / "expected")
    for name in contents(tmp_path / "expected"):
        assert filecmp.cmp(tmp_path / "mine" / name, tmp_path / "expected" / name, shallow=False), name


@pytest.mark.slow
def test_it_exports_itself(wheel: Path, commands: Path, tmp_path: Path) -> None:
    exported = run(commands / "grading", "export-autograder", "gradescope", "mine", folder=tmp_path)
    export_autograder(Platform.GRADESCOPE, tmp_path / "expected", EXAM)

    assert exported.returncode == 0, exported.stderr
    assert contents(tmp_path / "mine") == contents(tmp_path / "expected")
    assert filecmp.cmp(tmp_path / "mine" / wheel.name, wheel, shallow=False)
    for name in contents(tmp_path / "expected") - {wheel.name}:
        assert filecmp.cmp(tmp_path / "mine" / name, tmp_path / "expected" / name, shallow=False), name
    assert os.access(tmp_path / "mine/run_autograder", os.X_OK)


@pytest.mark.slow
def test_a_wheel_that_is_gone_cannot_be_exported(wheel: Path, tmp_path: Path) -> None:
    moved = tmp_path / "dist" / wheel.name
    moved.parent.mkdir()
    shutil.copy(wheel, moved)
    commands = installed(tmp_path / "venv", f"{moved}[grading]")
    moved.unlink()

    refused = run(commands / "grading", "export-autograder", "gradescope", "mine", folder=tmp_path)

    assert refused.returncode == 2
    told = " ".join(refused.stderr.split())
    assert f"is not at {moved}; install the grader from its .whl file" in told
    assert not (tmp_path / "mine").exists()


@pytest.mark.slow
def test_without_its_extra_it_says_what_to_install(wheel: Path, tmp_path: Path) -> None:
    commands = installed(tmp_path / "venv", str(wheel), "--no-deps")

    refused = run(commands / "grading", "explain", folder=tmp_path)

    assert refused.returncode == 2
    assert refused.stderr.startswith("The grader needs its extra: install `llm-production-exam[grading]`")
    assert refused.stderr.count("\n") == 1


def test_the_extra_and_the_group_of_the_grader_are_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["project"]["optional-dependencies"]["grading"] == project["dependency-groups"]["grading"]


def contents(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in paths}
    return {name for name in names if not name.startswith(".git/") and "__pycache__" not in name}
