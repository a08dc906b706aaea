import json

import pytest

from grading.formats.autolab import render
from grading.report import Report

pytestmark = pytest.mark.medium


def test_a_report_is_one_line_with_a_score_for_each_exercise_that_was_judged(report: Report) -> None:
    text = render(report)

    assert text.count("\n") == 1
    scores = json.loads(text)["scores"]
    judged = {f"ex{one.number}": one.points for one in report.exercises if one.judged}
    assert {name: points for name, points in scores.items() if name != "bonus"} == judged
    assert all(isinstance(one, int | float) for one in scores.values())


def test_what_could_not_be_judged_has_no_score(unfetched: Report) -> None:
    assert json.loads(render(unfetched))["scores"] == {}
