"""Stand-ins for the grader show what becomes of a run that goes wrong; the whole is tried in test_export.py."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from grading.autograder import grade
from grading.formats import gradescope, prairielearn
from grading.report import Report
from tests.grading.formats import test_gradescope, test_prairielearn
from tests.grading.formats.samples import sample

pytestmark = pytest.mark.medium

RESULTS: Mapping[str, type[test_gradescope.Results | test_prairielearn.Results]] = {
    "gradescope": test_gradescope.Results,
    "prairielearn": test_prairielearn.Results,
}
WHERE = {"gradescope": "submission", "prairielearn": "student"}


class Platform:
    """The folders of a platform, with a grader that is a script of a few lines."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.source = root / "source"
        self.source.mkdir()
        self.submission = root / WHERE[name]
        self.submission.mkdir()
        (self.source / "grade.py").write_bytes(Path(grade.__file__).read_bytes())
        self.settle(60)

    def settle(self, seconds: float) -> None:
        settings = {"platform": self.name, "assessment": "exam", "seconds": seconds}
        (self.source / "settings.json").write_text(json.dumps(settings))

    def grader(self, code: str) -> None:
        program = self.root / "grader/venv/bin/grading"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!{sys.executable}\n{code}\n")
        program.chmod(0o755)

    def says(self, report: Report) -> None:
        """Let the grader print a report."""
        render = {"gradescope": gradescope.render, "prairielearn": prairielearn.render}[self.name]
        document = self.root / "document.json"
        document.write_text(render(report))
        self.grader(f"print(open({str(document)!r}).read())")

    def run(self) -> dict[str, Any]:
        environment = {
            **os.environ,
            "AUTOGRADER": str(self.root),
            "GRADE": str(self.root),
            "GRADER_HOME": str(self.root / "grader"),
            "GRADER_USER": "root",
        }
        command = [sys.executable, str(self.source / "grade.py")]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        text = (self.root / "results/results.json").read_text()
        RESULTS[self.name].model_validate_json(text)
        results: dict[str, Any] = json.loads(text)
        return results


@pytest.fixture(params=["gradescope", "prairielearn"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    return Platform(tmp_path, request.param)


@pytest.fixture
def on_gradescope(tmp_path: Path) -> Platform:
    return Platform(tmp_path, "gradescope")


@pytest.fixture
def on_prairielearn(tmp_path: Path) -> Platform:
    return Platform(tmp_path, "prairielearn")


@pytest.fixture
def starter(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return sample("starter", tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def unfetched(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return sample("unfetched", tmp_path_factory.mktemp("recorded"))


def message(results: dict[str, Any]) -> str:
    """What the student reads first."""
    told: str = results["output"] or results["format_errors"][0]
    return told


def test_a_report_is_the_result(platform: Platform, starter: Report) -> None:
    platform.says(starter)

    results = platform.run()

    assert results["score"] == pytest.approx(
        starter.total if platform.name == "gradescope" else starter.total / starter.max_points
    )
    assert results["tests"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "it ended with code 3 and without a report"),
        ("print('{\"score\": 100')", "it ended with code 0 and without a report"),
        ("print([])", "it ended with code 0 and without a report"),
        ("import os; os.kill(os.getpid(), 9)", "it ended with code -9 and without a report"),
    ],
)
def test_a_grader_that_fails_is_not_the_students_fault(platform: Platform, code: str, why: str) -> None:
    platform.grader(code)

    told = message(platform.run())

    assert told.startswith("The grader failed, and your submission is not to blame: ")
    assert why in told


def test_a_grader_that_is_not_there_is_told(platform: Platform) -> None:
    assert "FileNotFoundError" in message(platform.run())


def test_a_grader_that_takes_too_long_is_ended(platform: Platform) -> None:
    platform.grader("import time\nwhile True: time.sleep(1)")
    platform.settle(0.5)

    assert "it took longer than 0.5 s" in message(platform.run())


def test_a_failed_run_costs_no_attempt_of_prairielearn(on_prairielearn: Platform) -> None:
    on_prairielearn.grader("raise SystemExit(1)")

    assert on_prairielearn.run()["gradable"] is False


@pytest.mark.parametrize(
    ("metadata", "score"),
    [
        ({"previous_submissions": [{"score": "40.5"}, {"score": None}, {"score": 12.0}]}, 40.5),
        ({"previous_submissions": []}, 0.0),
        ({"previous_submissions": [{"score": "many"}]}, 0.0),
        ({}, 0.0),
        ([], 0.0),
    ],
)
@pytest.mark.parametrize("fails", [True, False])
def test_a_run_that_is_not_judged_keeps_the_best_score_of_gradescope(
    metadata: object, score: float, unfetched: Report, on_gradescope: Platform, *, fails: bool
) -> None:
    (on_gradescope.root / "submission_metadata.json").write_text(json.dumps(metadata))
    if fails:
        on_gradescope.grader("raise SystemExit(3)")
    else:
        on_gradescope.says(unfetched)

    results = on_gradescope.run()

    assert results["score"] == score
    assert ("best one so far" in results["output"]) == (fails or score > 0)


def test_a_worse_submission_has_its_own_score(on_gradescope: Platform, starter: Report) -> None:
    earlier = {"previous_submissions": [{"score": 100.0}]}
    (on_gradescope.root / "submission_metadata.json").write_text(json.dumps(earlier))
    on_gradescope.says(starter)

    assert on_gradescope.run()["score"] == starter.total


def archive(path: Path, files: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)


@pytest.mark.parametrize("folder", ["", "exam-main/"])
def test_an_archive_is_unpacked_without_the_folder_around_it(folder: str, on_prairielearn: Platform) -> None:
    files = {f"{folder}src/api/main.py": "app = 1", f"{folder}pyproject.toml": ""}
    archive(on_prairielearn.submission / "submission.zip", files)
    seen = "print(sorted(one.name for one in pathlib.Path(sys.argv[2]).iterdir()), file=sys.stderr)"
    found = (
        "json.dumps({'gradable': True, 'score': float(pathlib.Path(sys.argv[2], 'src/api/main.py').exists())"
    )
    rest = "'message': '', 'output': '', 'tests': []})"
    on_prairielearn.grader(f"import json, pathlib, sys\n{seen}\nprint({found}, {rest})")

    assert on_prairielearn.run()["score"] == 1.0


def test_an_archive_leaves_its_folder_nowhere(tmp_path: Path) -> None:
    archive(tmp_path / "submission.zip", {"../outside": "x", "/absolute": "x"})
    (tmp_path / "in").mkdir()

    grade.unpack(tmp_path / "submission.zip", tmp_path / "in/submission")

    assert sorted(path.name for path in (tmp_path / "in").rglob("*")) == ["absolute", "outside", "submission"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"bomb": "x" * (grade.MOST_BYTES + 1)}, "holds more than"),
        ({str(number): "" for number in range(grade.MOST_FILES + 1)}, "holds more than"),
        ({"file": "x", "file/below": "x"}, "cannot be unpacked"),
    ],
)
def test_an_archive_that_is_none_is_told_to_the_student(
    files: dict[str, str], why: str, on_prairielearn: Platform
) -> None:
    archive(on_prairielearn.submission / "submission.zip", files)

    results = on_prairielearn.run()

    assert results["gradable"] is False
    assert results["message"].startswith(f"submission.zip {why}")


def test_a_damaged_archive_is_told_too(on_prairielearn: Platform) -> None:
    path = on_prairielearn.submission / "submission.zip"
    archive(path, {"main.py": "app = 1\n" * 1000})
    content = bytearray(path.read_bytes())
    content[40:50] = b"\xff" * 10
    path.write_bytes(content)

    assert on_prairielearn.run()["message"].startswith("submission.zip cannot be unpacked")


def test_a_file_that_is_no_archive_is_told_too(on_prairielearn: Platform) -> None:
    (on_prairielearn.submission / "submission.zip").write_text("a link to my repository")

    assert on_prairielearn.run()["message"].startswith("submission.zip cannot be unpacked")
