import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from exercises.catalogue import NAMES, assessment
from grading.errors import UsageError
from grading.handout import ROOT, pyproject, write_handout
from tests.exam import EXAM

SOLUTION_ONLY = (
    "CORRECTION.md",
    "tests",
    "calibration",
    "exercises/exam/starter",
    "docs/CALIBRATION.md",
    "docs/DECISIONS.md",
    "docs/DEMO.md",
    "docker-compose.yml",
)


@pytest.fixture(scope="module")
def handout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handout") / "exam"
    write_handout(folder, EXAM)
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_it_is_a_repository_with_one_commit_and_nothing_left_over(handout: Path) -> None:
    assert git(handout, "rev-list", "--count", "HEAD") == "1\n"
    assert git(handout, "status", "--porcelain") == ""


@pytest.mark.slow
def test_it_has_what_a_student_needs(handout: Path) -> None:
    for name in (
        "README.md",
        "EXAM.md",
        "docs/HISTORY.md",
        "IMPLEMENTATION.md",
        ".env.example",
        "mise.toml",
        "Makefile.curl",
        "uv.lock",
    ):
        assert (handout / name).is_file(), name
    for number in range(1, 7):
        [page] = handout.glob(f"exercises/exam/ex{number}_*/README.md")
        assert page.read_text()
    assert (handout / "src/api/main.py").is_file()


@pytest.mark.slow
def test_its_pages_link_to_files_that_it_has(handout: Path) -> None:
    links = [
        (page, target)
        for page in handout.rglob("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]

    assert links
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []


@pytest.mark.slow
def test_it_gives_nothing_of_the_solution_away(handout: Path) -> None:
    for name in SOLUTION_ONLY:
        assert not (handout / name).exists(), name
    starter = {
        path.relative_to(ROOT / "exercises/exam/starter/src")
        for path in (ROOT / "exercises/exam/starter/src").rglob("*.py")
    }
    assert {path.relative_to(handout / "src") for path in (handout / "src").rglob("*.py")} == starter
    mentioned = [path for path in handout.rglob("*.md") if "CORRECTION" in path.read_text()]
    assert not mentioned


@pytest.mark.slow
def test_its_project_is_locked_and_installs(handout: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "sync", "--locked", "--quiet"], cwd=handout, check=True, capture_output=True)

    told = subprocess.run(
        [".venv/bin/grading", "explain", "3"], cwd=handout, check=True, capture_output=True, text=True
    )
    assert "Exercise 3" in told.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_students_project_has_the_starters_dependencies_and_the_grader(name: str) -> None:
    own = (ROOT / "exercises" / name / "starter/pyproject.toml").read_text()

    project = tomllib.loads(pyproject((ROOT / "pyproject.toml").read_text(), own, ["grading", "exercises"]))
    starter = tomllib.loads(own)
    groups = starter.get("dependency-groups", {})
    assert project["project"]["dependencies"] == starter["project"]["dependencies"]
    assert set(project["dependency-groups"]) == {"grading", *groups}
    assert {name: project["dependency-groups"][name] for name in groups} == groups
    assert project["tool"]["uv"]["default-groups"] == ["grading", *groups]
    assert project["tool"].get("grading") == starter["tool"].get("grading")
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["grading", "exercises"]
    assert project["project"]["scripts"]["grading"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "exam"])
def test_the_hand_out_of_another_assessment_is_about_that_one_alone(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    write_handout(folder, assessment(name))

    pages = {path.parent.name for path in folder.glob(f"exercises/{name}/*/README.md")}
    missing = [
        (page.name, target)
        for page in folder.rglob("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert pages == {path.parent.name for path in assessment(name).folder.glob("*/exercise.toml")}
    assert missing == []
    assert {path.name for path in (folder / "exercises").iterdir() if path.is_dir()} - {"chat"} == {name}
    assert not [path for path in folder.rglob("*") if path.name in {"solution", "starter", "CORRECTION.md"}]
    assert list((folder / "src").rglob("main.py"))
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "sync", "--locked", "--quiet"], cwd=folder, check=True, capture_output=True)
    explain = [".venv/bin/grading", "explain", "3"]
    assert (
        "Exercise 3" in subprocess.run(explain, cwd=folder, check=True, capture_output=True, text=True).stdout
    )


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="not an empty folder"):
        write_handout(tmp_path, EXAM)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
