"""What a report says has changed, on a recorded run whose verdicts are changed."""

from pathlib import Path

import pytest

from grading import results
from grading.changes import with_changes
from grading.output import Format, document
from grading.report import Report
from grading.score import Graded, rescored
from lab.verdict import Status
from tests.exam import EXAM
from tests.recordings import unpack

pytestmark = pytest.mark.medium


@pytest.fixture
def report(tmp_path: Path) -> Report:
    report, _ = results.load(unpack("starter", tmp_path))
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


def judged(report: Report, started: str, **statuses: Status) -> Report:
    """Return a report with criteria (`e3_1` is 3.1) judged otherwise."""
    numbers = {name[1:].replace("_", "."): status for name, status in statuses.items()}
    exercises = tuple(
        exercise.model_copy(
            update={
                "criteria": tuple(
                    one.model_copy(update={"status": numbers.get(one.number, one.status)})
                    for one in exercise.criteria
                )
            }
        )
        for exercise in report.exercises
    )
    return report.model_copy(update={"started": started, "exercises": exercises})


FIRST, SECOND, THIRD = (f"2026-11-27T1{hour}:30:00+00:00" for hour in (0, 1, 2))


def test_a_first_run_says_nothing_of_changes(report: Report, folder: Path) -> None:
    assert with_changes(report, folder) == report


def test_what_is_judged_otherwise_is_told_by_what_it_is_now(report: Report, folder: Path) -> None:
    results.save(
        folder, judged(report, FIRST, e1_1="failed", e3_1="passed", e3_2="failed", e3_3="passed"), {}
    )

    again = with_changes(
        judged(report, SECOND, e1_1="failed", e3_1="failed", e3_2="passed", e3_3="not judged"), folder
    )

    assert again.changes
    assert (again.changes.passed, again.changes.failed, again.changes.open) == (("3.2",), ("3.1",), ("3.3",))
    assert again.changes.sentence == (
        "Changed since the last run (2026-11-27 10:30 UTC): 3.2 now passed; 3.1 now failed; 3.3 now not judged."
    )


def test_nothing_that_has_changed_is_said(report: Report, folder: Path) -> None:
    results.save(folder, judged(report, FIRST), {})

    again = with_changes(judged(report, SECOND), folder)

    assert again.changes
    assert again.changes.sentence == "Nothing has changed since the last run (2026-11-27 10:30 UTC)."


def test_a_criterion_is_compared_with_the_last_run_that_has_it(report: Report, folder: Path) -> None:
    results.save(folder, judged(report, FIRST, e1_1="passed", e3_1="passed"), {})
    part = judged(report, SECOND, e1_1="failed")
    results.save(folder, part.model_copy(update={"exercises": part.exercises[:1], "only": ("1.1",)}), {})

    again = with_changes(judged(report, THIRD, e1_1="failed", e3_1="failed"), folder)

    assert again.changes
    assert again.changes.failed == ("3.1",)
    assert again.changes.since == SECOND


def test_runs_of_others_and_runs_that_cannot_be_read_do_not_count(report: Report, folder: Path) -> None:
    results.save(folder, judged(report, FIRST).model_copy(update={"assessment": "another"}), {})
    results.save(folder, judged(report, FIRST).model_copy(update={"submission": "starter.another"}), {})
    results.save(folder, judged(report, FIRST).model_copy(update={"source": "0c7b2f9e51d3a846"}), {})
    (folder / "starter-9").mkdir()
    (folder / "starter-9/report.json").write_text("{")

    assert with_changes(report, folder).changes is None


@pytest.mark.parametrize("format", [Format.TEXT, Format.MARKDOWN, Format.HTML])
def test_reports_end_with_what_has_changed(format: Format, report: Report, folder: Path) -> None:  # noqa: A002 - the option's name
    results.save(folder, judged(report, FIRST, e3_1="passed"), {})
    saved = results.save(folder, with_changes(judged(report, SECOND, e3_1="failed"), folder), {})

    text = document([Graded(*results.load(saved))], format)

    assert "3.1 now failed" in text.replace("\\", "")


def test_a_run_that_is_judged_again_is_compared_with_none(
    report: Report, folder: Path, tmp_path: Path
) -> None:
    _, histories = results.load(tmp_path / "starter")
    results.save(folder, judged(report, FIRST, e3_1="passed"), {})

    assert rescored(with_changes(report, folder), histories, EXAM).changes is None
