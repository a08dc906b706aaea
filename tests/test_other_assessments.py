"""Assignment 1, week 1 and Project 6.1 as wholes, on real services: the solutions have all points, the hand-outs what they should.

These take a while: every case is a complete grading run.
"""

from pathlib import Path
from typing import Any

import pytest

from exercises.catalogue import assessment
from grading.calibrate.corpus import Corpus
from grading.handout import write_handout
from tests.graded import graded

ROOT = Path(__file__).parent.parent
STRUCTURE_AND_START = {"1.1", "1.2", "1.3"}
"""What the starter of Assignment 1 has already."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("grading_slot")]


def criteria(report: dict[str, Any], *statuses: str) -> dict[str, str]:
    return {
        one["number"]: one["actual"]
        for exercise in report["exercises"]
        for one in exercise["criteria"]
        if one["status"] in statuses
    }


@pytest.mark.parametrize("name", ["assignment1", "week1"])
def test_the_solution_has_all_points(name: str) -> None:
    report = graded(ROOT / "exercises" / name / "solution")

    assert criteria(report, "failed", "not judged") == {}
    assert (report["assessment"], report["grade"]["total"], report["grade"]["mention"]) == (
        name,
        105,
        "excellence",
    )


def test_the_project_in_a_students_repository_has_all_points(tmp_path: Path) -> None:
    Corpus.of(assessment("project61")).cases()[0].write(tmp_path)

    report = graded(tmp_path, "--assessment", "project61")

    assert criteria(report, "failed", "not judged") == {}
    assert (report["grade"]["total"], report["grade"]["mention"]) == (110, "excellence")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "points", "passed"),
    [("assignment1", 10, STRUCTURE_AND_START), ("week1", 0, set()), ("project61", 1, {"6.3"})],
)
def test_the_hand_out_has_what_its_structure_is_worth(
    name: str, points: float, passed: set[str], tmp_path: Path
) -> None:
    write_handout(tmp_path / name, assessment(name))

    report = graded(tmp_path / name)

    assert criteria(report, "passed").keys() == passed
    assert report["grade"]["total"] == points
