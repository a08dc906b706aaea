import json
import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grading.autograder.export import GRADING_SECONDS, PLATFORM_SECONDS, Platform, export_autograder
from grading.cli import app
from grading.errors import UsageError
from tests.exam import EXAM
from tests.grading.formats import test_gradescope, test_prairielearn

COMMON = {"setup.sh", "grade.py", "settings.json", "requirements.txt"}


@pytest.fixture(scope="module")
def gradescope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "gradescope"
    assert export_autograder(Platform.GRADESCOPE, folder, EXAM) == folder.with_name("gradescope.zip")
    return folder


@pytest.fixture(scope="module")
def prairielearn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "prairielearn"
    assert export_autograder(Platform.PRAIRIELEARN, folder, EXAM) == folder
    return folder


@pytest.fixture(scope="module")
def grader(gradescope: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that setup.sh installs the grader in, with this user's cache of packages."""
    home = tmp_path_factory.mktemp("installed") / "grader"
    run(gradescope / "setup.sh", GRADER_HOME=home)
    return home


def run(script: Path, **variables: Path | str) -> None:
    """Run a script of an autograder as the platform does."""
    cache = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UV_CACHE_DIR": cache,
        "UV_LINK_MODE": "hardlink",  # copies take minutes on a busy disk
        "UV_PYTHON_DOWNLOADS": "never",
        "GRADER_USER": "root",
        **{name: str(value) for name, value in variables.items()},
    }
    ended = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def uv() -> Path:
    return Path(sys.executable).with_name("uv")


def hand_in(folder: Path) -> None:
    """Write a submission that cannot be installed, which is its failure however busy the machine is."""
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("./missing-1.0-py3-none-any.whl\n")
    (folder / "pyproject.toml").write_text('[tool.grading]\ncommand = "python main.py"\n')


@pytest.mark.slow
def test_the_zip_has_all_files_and_scripts_that_can_be_run(gradescope: Path) -> None:
    [wheel] = gradescope.glob("*.whl")
    with zipfile.ZipFile(gradescope.with_name("gradescope.zip")) as archive:
        modes = {one.filename: one.external_attr >> 16 & 0o777 for one in archive.infolist()}

    assert set(modes) == {*COMMON, "run_autograder", wheel.name}
    assert {modes[name] for name in ("setup.sh", "run_autograder")} == {0o755}


@pytest.mark.slow
def test_the_question_of_prairielearn_runs_a_script_that_it_has(prairielearn: Path) -> None:
    info = json.loads((prairielearn / "info.json").read_text())
    options = info["externalGradingOptions"]

    assert uuid.UUID(info["uuid"]).version == 5  # the same one at each export
    assert (info["gradingMethod"], options["enabled"], options["enableNetworking"]) == (
        "External",
        True,
        True,
    )
    assert GRADING_SECONDS < options["timeout"] == PLATFORM_SECONDS
    assert options["entrypoint"].startswith("/grade/tests/")
    names = {path.name for path in (prairielearn / "tests").iterdir() if path.suffix != ".whl"}
    assert names == {*COMMON, "entrypoint.sh"}
    assert f"FROM {options['image']}\n" in (prairielearn / "Dockerfile").read_text()


@pytest.mark.slow
def test_gradescope_has_results_from_the_installed_grader(
    gradescope: Path, grader: Path, tmp_path: Path
) -> None:
    shutil.copytree(gradescope, tmp_path / "source")
    hand_in(tmp_path / "submission")

    run(tmp_path / "source/run_autograder", AUTOGRADER=tmp_path, GRADER_HOME=grader)

    text = (tmp_path / "results/results.json").read_text()
    results = test_gradescope.Results.model_validate_json(text)
    assert "cannot be installed" in results.output
    assert (results.score, results.extra_data["judged"]) == (0, True)
    assert len(results.tests) > len(EXAM.exercises)


@pytest.mark.slow
def test_prairielearn_has_results_from_the_installed_grader(
    prairielearn: Path, grader: Path, tmp_path: Path
) -> None:
    shutil.copytree(prairielearn / "tests", tmp_path / "tests")
    hand_in(tmp_path / "handed-in")
    (tmp_path / "student").mkdir()
    shutil.make_archive(str(tmp_path / "student/submission"), "zip", tmp_path / "handed-in")

    run(tmp_path / "tests/entrypoint.sh", GRADE=tmp_path, GRADER_HOME=grader)

    text = (tmp_path / "results/results.json").read_text()
    results = test_prairielearn.Results.model_validate_json(text)
    assert "cannot be installed" in results.output
    assert (results.score, results.gradable) == (0, True)


@pytest.mark.slow
def test_what_is_installed_has_no_solution(grader: Path) -> None:
    [site] = grader.glob("venv/lib/python*/site-packages")

    assert (site / "exercises/exam/assessment.toml").is_file()
    assert [*site.glob("exercises/*/solution"), *site.glob("api")] == []


@pytest.mark.slow
def test_a_grader_that_cannot_be_installed_costs_no_attempt(prairielearn: Path, tmp_path: Path) -> None:
    shutil.copytree(prairielearn / "tests", tmp_path / "tests")
    hand_in(tmp_path / "student")

    run(
        tmp_path / "tests/entrypoint.sh",
        GRADE=tmp_path,
        GRADER_HOME=tmp_path / "grader",
        UV_OFFLINE="1",
        UV_CACHE_DIR=tmp_path / "empty",
    )

    results = json.loads((tmp_path / "results/results.json").read_text())
    assert results["gradable"] is False
    assert "your submission is not to blame" in results["message"]


@pytest.mark.parametrize("platform", list(Platform))
def test_a_folder_that_holds_something_is_refused(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refused = CliRunner().invoke(app, ["export-autograder", platform, str(tmp_path)])

    assert refused.exit_code == 2
    assert "is not an empty folder" in refused.stderr


def test_a_zip_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_text("precious")

    with pytest.raises(UsageError, match=r"mine\.zip is there already"):
        export_autograder(Platform.GRADESCOPE, tmp_path / "mine", EXAM)

    assert (tmp_path / "mine.zip").read_text() == "precious"
