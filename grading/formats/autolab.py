"""Autolab: the line that an autograder's output ends with. Its problems are named `ex1`, `ex2` ... and `bonus`.

An exercise with a verdict that nobody could give has no score in it.
"""

import json

from grading.report import Report


def render(report: Report) -> str:
    """Return the line."""
    judged = not report.machine_problem
    scores = {f"ex{one.number}": one.points for one in report.exercises if judged and one.judged}
    if report.bonus and judged:
        scores["bonus"] = report.bonus.points
    return json.dumps({"scores": scores, "scoreboard": [report.total]}) + "\n"
