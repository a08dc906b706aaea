"""Classroom 50: the `result.json` of an autograder, as `classroom50/result/v1`.

Its scores are whole numbers, and an exercise may bring half its points: they are in hundredths of a point. What the
report does not know (the classroom, the assignment, the submission) comes from the variables that the runner sets.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chaos.plain_text import plain
from grading.errors import UsageError
from grading.formats.words import details, standing, title
from grading.report import Report
from lab.result import ExerciseResult

SCHEMA: Final = "classroom50/result/v1"
PARTS: Final = 100
_INSTANT = re.compile(r"submit/(\d{4}-\d{2}-\d{2}T)(\d{2})-(\d{2})-(\d{2})Z")


def render(report: Report, variables: Mapping[str, str] = os.environ) -> str:
    """Return the content of `result.json`. Raises UsageError if a variable of the runner is not set."""
    tests = list(_tests(report))
    submission = _variable(variables, "SUBMISSION_TAG")
    commit = _variable(variables, "COMMIT_URL")
    result = {
        "schema": SCHEMA,
        "classroom": _variable(variables, "CLASSROOM"),
        "assignment": _variable(variables, "ASSIGNMENT"),
        "assignment_type": variables.get("ASSIGNMENT_TYPE") or "individual",
        "owner": _variable(variables, "OWNER"),
        "submission": submission,
        "commit": commit,
        "release": _variable(variables, "RELEASE_URL"),
        "review": variables.get("REVIEW_URL") or commit,
        "datetime": _instant(submission) or report.started,
        "graded_at": report.started,
        "score": sum(one["score"] for one in tests),
        "max-score": sum(one["max-score"] for one in tests),
        "tests": tests,
    }
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _tests(report: Report) -> Iterator[dict[str, Any]]:
    yield from map(_test, report.exercises)
    if bonus := report.bonus:
        yield {
            "test-name": plain(bonus.title),
            "passed": bonus.points == bonus.max_points,
            "score": round(bonus.points * PARTS),
            "max-score": round(bonus.max_points * PARTS),
        }


def _test(exercise: ExerciseResult) -> dict[str, Any]:
    told = [f"{title(one)}: {standing(one)}\n{details(one)}" for one in exercise.criteria if not one.passed]
    return {
        "test-name": plain(f"Exercise {exercise.number} {exercise.title}"),
        "passed": exercise.level == "complete",
        "score": round(exercise.points * PARTS),
        "max-score": round(exercise.max_points * PARTS),
        "judged": exercise.judged,
        "output": "\n\n".join(told),
    }


def _instant(submission: str) -> str | None:
    """Return when the submission was made, which its tag says and a regrade does not change."""
    match = _INSTANT.match(submission)
    return f"{match[1]}{match[2]}:{match[3]}:{match[4]}Z" if match else None


def _variable(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value and name == "OWNER":
        value = variables.get("USERNAME", "")
    if not value:
        raise UsageError(
            f"{name} is not set; --format classroom50 needs the variables of Classroom 50's runner."
        )
    return value
