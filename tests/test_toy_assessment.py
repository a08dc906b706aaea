"""An assessment that the grader does not know: another contract, points instead of levels, Redis behind the proxy."""

import shutil
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from grading import results
from grading.explain import explain
from grading.progress import PlainLines
from grading.render_text import render
from grading.runtime import RuntimeName
from grading.runtimes import choose_runtime
from grading.score import Graded, rescored, score
from grading.workspace import Workspace
from lab.assessment import load
from lab.exercise import Exercise

HERE = Path(__file__).parent / "toy"
TOY = load(HERE, "tests.toy")
WRONG = {
    "a crash without its store": ("except OSError:", "except ZeroDivisionError:", {"1.2"}),
    "a count that starts again": (
        "    return int(answer[1:].split(b",
        "    return 1 or int(answer[1:].split(b",
        {"1.1"},
    ),
}

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("grading_slot")]


async def graded(
    repository: Path, exercises: Sequence[Exercise] = TOY.exercises, *, fail_fast: bool = False
) -> Graded:
    named: list[str | None] = []

    def choose(name: str | None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a tuple that `Choose` describes
        named.append(name)
        return TOY, exercises

    with Workspace.open() as workspace:
        found = await score(
            str(repository),
            choose,
            seed=1,
            workspace=workspace,
            progress=PlainLines(Console(quiet=True)),
            runtime=choose_runtime(RuntimeName.PROCESS),
            fail_fast=fail_fast,
        )
    assert named == ["toy"]
    return found


async def test_its_solution_has_all_points(tmp_path: Path) -> None:
    found = await graded(HERE / "solution")

    report = found.report
    assert [one.status for one in report.exercises[0].criteria] == ["passed"] * 3
    assert (report.points, report.max_points, report.scheme) == (12, 12, "points")
    assert report.grade
    assert report.grade.mention == "distinction"
    text = StringIO()
    render(report, Console(file=text, width=120))
    assert "Total 12/12" in text.getvalue()
    folder = results.save(tmp_path, report, found.histories)
    loaded, histories = results.load(folder)
    assert loaded.model_copy(update={"integrity": None}) == report
    assert rescored(loaded, histories, TOY) == loaded


@pytest.mark.parametrize("fault", WRONG)
async def test_a_wrong_service_loses_the_points_of_what_it_breaks(fault: str, tmp_path: Path) -> None:
    old, new, numbers = WRONG[fault]
    repository = tmp_path / "fork"
    shutil.copytree(HERE / "solution", repository)
    source = (repository / "app.py").read_text()
    assert source.count(old) == 1
    (repository / "app.py").write_text(source.replace(old, new))

    report = (await graded(repository)).report

    failed = {one.number for one in report.exercises[0].criteria if one.status == "failed"}
    assert failed == numbers
    assert report.points == 7
    assert report.grade
    assert report.grade.mention == "passed"
    assert report.next_step == f"{min(numbers)} has yet to pass: +5 points"


async def test_one_criterion_runs_what_it_needs_and_brings_no_points(tmp_path: Path) -> None:
    found = await graded(HERE / "solution", [TOY.exercises[0].only({"1.3"})])

    report = found.report
    assert set(found.histories) == {"readme"}
    assert [one.number for one in report.exercises[0].criteria] == ["1.3"]
    assert (report.only, report.points, report.max_points) == (("1.3",), 0, 0)
    assert (report.grade, report.bonus, report.next_step) == (None, None, None)
    assert report.passed
    loaded, histories = results.load(results.save(tmp_path, report, found.histories))
    assert rescored(loaded, histories, TOY) == loaded


async def test_the_first_failure_ends_the_grading(tmp_path: Path) -> None:
    repository = tmp_path / "fork"
    shutil.copytree(HERE / "solution", repository)
    (repository / "README.md").write_text("It counts.\n")

    found = await graded(repository, fail_fast=True)

    report = found.report
    assert set(found.histories) == {"readme"}
    assert [one.status for one in report.exercises[0].criteria] == ["failed"]
    assert report.only == ("1.3",)
    assert report.notes == ("Stopped at the first failure: 1 of 3 criteria were judged.",)
    assert report.judged
    assert not report.passed


async def test_without_a_failure_nothing_is_left_out() -> None:
    report = (await graded(HERE / "solution", fail_fast=True)).report

    assert (report.points, report.only, report.notes) == (12, (), ())


def test_its_rubric_is_explained_with_the_points_of_each_criterion() -> None:
    text = StringIO()
    explain(TOY, TOY.exercises, Console(file=text, width=200))

    assert "Exercise 1  A counter in a store  (12 points)" in text.getvalue()
    assert "README.md names STORE_URL (2)" in text.getvalue()
