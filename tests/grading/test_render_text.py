"""The report for people; what it says of recorded runs is in golden/."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from grading import results
from grading.render_text import render
from grading.report import ControlFailure, Report
from tests.recordings import unpack

COMMAND = (
    "curl -i -X POST http://127.0.0.1:8000/ -H 'content-type: application/json' --data-raw '"
    + "x " * 200
    + "'"
)


@pytest.mark.parametrize("width", [60, 120])
def test_a_command_stays_on_one_line_to_be_copied_and_the_rest_does_not(width: int, tmp_path: Path) -> None:
    report, _ = results.load(unpack("starter", tmp_path))
    first = report.exercises[0]
    [failed, *others] = first.criteria
    changed = first.model_copy(update={"criteria": (failed.model_copy(update={"request": COMMAND}), *others)})
    stream = StringIO()

    render(report.model_copy(update={"exercises": (changed,)}), Console(file=stream, width=width))

    lines = stream.getvalue().splitlines()
    assert f"   request {COMMAND}" in lines
    assert all(len(line) <= width for line in lines if not line.startswith("   request "))


def test_a_service_that_does_not_work_says_whether_that_left_a_criterion_out(tmp_path: Path) -> None:
    report, _ = results.load(unpack("starter", tmp_path))
    broken = ControlFailure(
        experiment="tour", reason="POST /ask answered 501", started=True, answer="", log=()
    )
    [first, *others] = report.exercises[0].criteria
    left_out = first.model_copy(update={"status": "not judged", "actual": broken.reason})
    exercise = report.exercises[0].model_copy(update={"criteria": (left_out, *others)})

    assert _text(report.model_copy(update={"control_failure": broken})).count("No criterion below") == 1
    found = report.model_copy(update={"control_failure": broken, "exercises": (exercise,)})
    assert "No criterion below" not in _text(found)


def _text(report: Report) -> str:
    stream = StringIO()
    render(report, Console(file=stream, width=120))
    return stream.getvalue()
