"""Reports of recorded runs, compared to the letter: what a student reads is tested as well as the verdicts.

After a change of rubric, hints or rendering: `GOLDEN=write pytest tests/grading/test_golden.py`, and read the diff.
"""

import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from grading import results
from grading.render_text import render
from grading.report import Report
from grading.score import rescored
from tests.exam import EXAM
from tests.recordings import unpack

pytestmark = pytest.mark.medium

GOLDEN = Path(__file__).parent / "golden"


def judged_again(name: str, folder: Path) -> Report:
    return rescored(*results.load(unpack(name, folder)), EXAM)


def rendered(report: Report) -> str:
    stream = StringIO()
    render(report, Console(file=stream, width=120, highlight=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("name", ["reference", "starter"])
def test_a_recorded_run_gives_the_report_that_it_gave(name: str, tmp_path: Path) -> None:
    text = rendered(judged_again(name, tmp_path))

    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_recorded_solution_has_all_points_and_the_starter_none(tmp_path: Path) -> None:
    reference = judged_again("reference", tmp_path)
    starter = judged_again("starter", tmp_path)

    assert (reference.points, reference.max_points, reference.judged) == (100, 100, True)
    assert (starter.points, starter.max_points, starter.judged) == (0, 100, True)


def test_every_failure_in_a_report_can_be_acted_on(tmp_path: Path) -> None:
    starter = judged_again("starter", tmp_path)

    failures = [one for exercise in starter.exercises for one in exercise.criteria if one.status == "failed"]
    assert len(failures) > 20
    for one in failures:
        assert one.expected, one.number
        assert one.actual, one.number
        assert one.moments or one.actual.startswith("there is no "), one.number
        assert one.hint, one.number
