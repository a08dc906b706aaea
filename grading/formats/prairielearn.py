"""PrairieLearn: `/grade/results/results.json` of an external grader, at most 1 MB.

What could not be judged is not gradable, so that the student loses no attempt.
"""

import json
from typing import Any, Final

from chaos.plain_text import plain
from grading.formats.words import UNJUDGED, details, standing, summary, title
from grading.report import Report
from lab.result import ExerciseResult

MOST_CHARACTERS: Final = 200_000
"""Of all outputs together; a character takes four bytes at most."""


def render(report: Report) -> str:
    """Return the content of PrairieLearn's `results.json`."""
    share = MOST_CHARACTERS // (1 + len(report.exercises))
    result = {
        "gradable": report.judged,
        "score": min(1.0, max(0.0, report.total / report.max_points)) if report.max_points else 0.0,
        "message": summary(report).splitlines()[0],
        "output": summary(report)[:share],
        "tests": [_test(exercise, share) for exercise in report.exercises],
    }
    if not report.judged:
        result["format_errors"] = [plain(report.problem or UNJUDGED)]
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _test(exercise: ExerciseResult, share: int) -> dict[str, Any]:
    told = "\n\n".join(
        f"{title(one)}: {standing(one)}\n{details(one)}" for one in exercise.criteria if not one.passed
    )
    passed = sum(one.passed for one in exercise.criteria)
    return {
        "name": plain(f"Exercise {exercise.number} {exercise.title}"),
        "description": f"{passed} of {len(exercise.criteria)} criteria passed",
        "points": exercise.points,
        "max_points": exercise.max_points,
        "output": told[:share],
    }
