"""Gradescope: `/autograder/results/results.json`. An exercise has a score, each criterion below it only a status."""

import json
from collections.abc import Iterator
from typing import Any

from chaos.plain_text import plain
from grading.formats.words import details, standing, summary, title
from grading.report import Report
from lab.result import CriterionResult, ExerciseResult


def render(report: Report) -> str:
    """Return the content of Gradescope's `results.json`."""
    tests = [test for exercise in report.exercises for test in _tests(exercise)]
    if bonus := report.bonus:
        tests.append(
            {
                "name": plain(bonus.title),
                "score": bonus.points,
                "max_score": bonus.max_points,
                "output": plain(bonus.missing),
            }
        )
    result = {
        "score": max(0.0, report.total),
        "execution_time": round(report.seconds),
        "output": summary(report),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"seed": report.seed, "commit": plain(report.commit or ""), "judged": report.judged},
    }
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _tests(exercise: ExerciseResult) -> Iterator[dict[str, Any]]:
    passed = sum(one.passed for one in exercise.criteria)
    test = {
        "name": plain(f"Exercise {exercise.number} {exercise.title}"),
        "number": str(exercise.number),
        "score": exercise.points,
        "max_score": exercise.max_points,
        "output": f"{passed} of {len(exercise.criteria)} criteria passed",
    }
    if exercise.judged:  # as below, there is no status for what is open
        test["status"] = "passed" if exercise.level == "complete" else "failed"
    yield test
    yield from map(_criterion, exercise.criteria)


def _criterion(criterion: CriterionResult) -> dict[str, Any]:
    test = {"name": title(criterion), "number": criterion.number, "output": details(criterion)}
    if criterion.status == "not judged":  # Gradescope knows two statuses, and this is neither
        return test | {"output": f"{standing(criterion)}\n{details(criterion)}"}
    return test | {"status": criterion.status}
