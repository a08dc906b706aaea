"""`grading report` and `grading rescore`, on recorded runs."""

import json
import shutil
from pathlib import Path

import html5lib
import pytest
from typer.testing import CliRunner, Result

from grading import results
from grading.cli import app
from grading.output import Format
from tests.recordings import unpack

pytestmark = pytest.mark.medium


def grading(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return unpack("starter", tmp_path / "results")


def test_a_report_is_shown_as_it_was_graded_whatever_the_grade(run: Path) -> None:
    shown = grading("report", run)

    assert shown.exit_code == 0
    assert "Total 0/100" in shown.stdout


def test_a_report_in_html_goes_to_a_file(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"

    shown = grading("report", run, "--format", "html", "--out", file)

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert str(file) in shown.stderr
    html5lib.HTMLParser(strict=True).parse(file.read_text(encoding="utf-8"))


def test_a_file_that_cannot_be_written_is_wrong_use(run: Path, tmp_path: Path) -> None:
    shown = grading("report", run, "--out", tmp_path)

    assert shown.exit_code == 2
    assert "choose another --out" in shown.stderr


@pytest.mark.parametrize("command", ["report", "rescore"])
def test_the_folder_that_was_given_to_out_is_as_good_as_the_run_in_it(command: str, run: Path) -> None:
    assert grading(command, run.parent).stdout == grading(command, run).stdout


@pytest.mark.parametrize("command", ["report", "rescore"])
def test_all_runs_of_a_folder_are_shown_the_latest_last(command: str, run: Path) -> None:
    later = shutil.copytree(run, run.parent / "a-later-one")
    report, _ = results.load(later)
    changed = report.model_copy(update={"submission": "later", "started": "2999-01-01T00:00:00+00:00"})
    (later / results.REPORT).write_text(changed.model_dump_json(), encoding="utf-8")

    shown = grading(command, run.parent, "--format", "json")

    assert [one["submission"] for one in json.loads(shown.stdout)] == ["starter", "later"]


@pytest.mark.parametrize("command", ["report", "rescore"])
def test_one_run_of_several_that_cannot_be_read_is_named(command: str, run: Path) -> None:
    broken = shutil.copytree(run, run.parent / "broken")
    next(broken.glob("histories/*.jsonl")).write_text("no event\n")

    shown = grading(command, run.parent)

    assert shown.exit_code == 2
    assert "broken cannot be read" in " ".join(shown.stderr.split())


@pytest.mark.parametrize("command", ["report", "rescore"])
def test_a_page_holds_one_report(command: str, run: Path) -> None:
    shutil.copytree(run, run.parent / "another")

    shown = grading(command, run.parent, "--format", "html")

    assert shown.exit_code == 2
    assert "--format html takes one report, and here are 2" in shown.stderr


@pytest.mark.parametrize("format", [one for one in Format if one is not Format.CLASSROOM50])
def test_a_report_can_be_had_in_every_format(format: Format, run: Path) -> None:  # noqa: A002 - the option's name
    shown = grading("report", run, "--format", format)

    assert shown.exit_code == 0
    assert "3.1" in shown.stdout or format is Format.AUTOLAB


def test_classroom50_without_its_runner_is_wrong_use(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLASSROOM", raising=False)

    shown = grading("report", run, "--format", "classroom50")

    assert shown.exit_code == 2
    assert "CLASSROOM is not set" in shown.stderr


@pytest.mark.parametrize("command", ["report", "rescore"])
def test_a_folder_without_a_run_is_wrong_use(command: str, tmp_path: Path) -> None:
    shown = grading(command, tmp_path)

    assert shown.exit_code == 2
    assert "holds no graded run" in shown.stderr


@pytest.fixture
def partial(run: Path) -> Path:
    """A run of two criteria."""
    report, _ = results.load(run)
    chosen = ("3.1", "6.2")
    exercises = [
        one.model_copy(update={"criteria": tuple(each for each in one.criteria if each.number in chosen)})
        for one in report.exercises
    ]
    parts = tuple(
        one.model_copy(update={"points": 0.0, "max_points": 0.0}) for one in exercises if one.criteria
    )
    update = {"only": chosen, "exercises": parts, "grade": None, "bonus": None, "next_step": None}
    (run / results.REPORT).write_text(report.model_copy(update=update).model_dump_json(), encoding="utf-8")
    return run


@pytest.mark.parametrize(
    "format", [Format.TEXT, Format.HTML, Format.MARKDOWN, Format.GITHUB, Format.JUNIT, Format.CHECK50]
)
def test_chosen_criteria_are_reported_without_points(format: Format, partial: Path) -> None:  # noqa: A002 - as above
    shown = grading("report", partial, "--format", format)

    assert shown.exit_code == 0
    assert "3.1" in shown.stdout
    assert "0/0" not in shown.stdout
    assert "0 / 0" not in shown.stdout


def test_chosen_criteria_are_no_grade(partial: Path) -> None:
    shown = grading("report", partial, "--format", Format.GRADESCOPE)

    assert shown.exit_code == 2
    assert "chosen criteria bring none" in shown.stderr


def test_chosen_criteria_alone_are_judged_again(partial: Path) -> None:
    [again] = json.loads(grading("rescore", partial, "--format", "json").stdout)

    numbers = [one["number"] for exercise in again["exercises"] for one in exercise["criteria"]]
    assert numbers == ["3.1", "6.2"]
    assert (again["points"], again["max_points"], again["grade"]) == (0, 0, None)
