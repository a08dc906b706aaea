"""The exam as a whole, on real services: who gets all points, who none, and who loses two exercises alone.

These take minutes: every case is a complete grading run.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from grading.calibrate.corpus import Case
from grading.calibrate.files import Change
from grading.handout import write_handout
from tests.exam import EXAM
from tests.graded import graded

ROOT = Path(__file__).parent.parent
REGRESSIONS = tomllib.loads((ROOT / "calibration/regressions/one_exercise_undone.toml").read_text())[
    "regressions"
]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("grading_slot")]


def criteria(report: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return [(exercise["number"], one) for exercise in report["exercises"] for one in exercise["criteria"]]


def open_criteria(report: dict[str, Any]) -> list[str]:
    return [
        f"{one['number']} {one['status']}: {one['actual']}"
        for _, one in criteria(report)
        if one["status"] != "passed"
    ]


def _exercises(pair: tuple[dict[str, Any], ...]) -> str:
    return " and ".join(f"exercise {one['exercise']}" for one in pair)


def test_the_reference_solution_has_all_points() -> None:
    report = graded(ROOT)

    assert open_criteria(report) == []
    assert (report["points"], report["grade"]["total"], report["grade"]["mention"]) == (
        100,
        105,
        "excellence",
    )


@pytest.mark.long
def test_the_hand_out_has_none_and_is_told_why(tmp_path: Path) -> None:
    write_handout(tmp_path / "exam", EXAM)

    report = graded(tmp_path / "exam")

    assert {exercise["number"]: exercise["level"] for exercise in report["exercises"]} == dict.fromkeys(
        range(1, 7), "none"
    )
    assert report["grade"]["total"] == 0
    assert report["grade"]["reasons"]
    failed = [one for _, one in criteria(report) if one["status"] == "failed"]
    assert all(one["actual"] for one in failed)
    # What could not be tried has the reason at the top of the report, and no hint of its own.
    assert sum(bool(one["hint"]) for one in failed) > len(failed) / 2, open_criteria(report)


@pytest.mark.long
@pytest.mark.parametrize("pair", list(zip(REGRESSIONS[:3], REGRESSIONS[3:], strict=True)), ids=_exercises)
def test_exercises_undone_are_lost_with_what_rests_on_them_and_no_others(
    pair: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    changes = tuple(Change.model_validate(change) for one in pair for change in one["changes"])
    Case("regression", "mutant", "", ROOT / "calibration/service", changes=changes).write(tmp_path)
    lost = {number for one in pair for number in one["loses"]}

    report = graded(tmp_path)

    levels = {exercise["number"]: exercise["level"] for exercise in report["exercises"]}
    expected = {number: "none" if number in lost else "complete" for number in levels}
    assert levels == expected, open_criteria(report)
