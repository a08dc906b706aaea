"""check50's JSON, for programs that read it. What was not judged is `null` there as here, and no failure."""

import json
from typing import Any

from chaos.plain_text import plain
from grading.formats.words import title
from grading.report import Report
from lab.result import CriterionResult, ExerciseResult


def render(report: Report) -> str:
    """Return the object that `check50 --output json` prints."""
    results = [
        _result(exercise, criterion) for exercise in report.exercises for criterion in exercise.criteria
    ]
    result: dict[str, Any] = {"slug": report.assessment, "version": report.grader, "results": results}
    if report.problem:
        result["error"] = {"type": "CouldNotRun", "value": plain(report.problem), "traceback": [], "data": {}}
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _result(exercise: ExerciseResult, criterion: CriterionResult) -> dict[str, Any]:
    moments = (f"{one.experiment} {one.t:.2f} s, event {one.event}: {one.text}" for one in criterion.moments)
    return {
        "name": f"ex{exercise.number}_{criterion.name}",
        "description": title(criterion),
        "passed": None if criterion.status == "not judged" else criterion.passed,
        "log": [plain(one) for one in moments],
        "cause": None if criterion.passed else _cause(criterion),
        "data": {"essential": criterion.essential, "blame": criterion.blame},
        "dependency": None,
    }


def _cause(criterion: CriterionResult) -> dict[str, str | None]:
    return {
        "rationale": plain(criterion.actual),
        "help": plain(criterion.hint) or None,
        "expected": plain(criterion.expected),
        "actual": plain(criterion.actual),
    }
