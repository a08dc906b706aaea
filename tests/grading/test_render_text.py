"""The report for people; what it says of recorded runs is in golden/."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from grading import results
from grading.render_text import render
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
