"""Classroom 50: the `result.json` of an autograder, as `classroom50/result/v1`.

Its scores are whole numbers, and an exercise may bring half its points: they are in hundredths of a point. What the
report does not know (the classroom, the assignment, the submission) comes from the variables that the runner sets.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from chaos.plain_text import plain
from grading.errors import MachineError, UsageError
from grading.formats.words import details, standing, title
from grading.report import Report
from lab.result import ExerciseResult

SCHEMA: Final = "classroom50/result/v1"
PARTS: Final = 100
_INSTANT = re.compile(r"submit/(\d{4}-\d{2}-\d{2}T)(\d{2})-(\d{2})-(\d{2})Z")


@dataclass(frozen=True, slots=True)
class Runner:
    """What Classroom 50's runner knows of a submission."""

    classroom: str
    assignment: str
    assignment_type: str
    owner: str
    submission: str
    commit: str
    release: str
    review: str


def take_runner(variables: Mapping[str, str] = os.environ) -> Runner:
    """Return what the runner says in its variables. Raises UsageError if one is not set."""

    def value(*names: str) -> str:
        found = next((variables[name] for name in names if variables.get(name)), None)
        if found is None:
            raise UsageError(
                f"{names[0]} is not set; --format classroom50 needs the variables of Classroom 50's runner."
            )
        return found

    return Runner(
        classroom=value("CLASSROOM"),
        assignment=value("ASSIGNMENT"),
        assignment_type=variables.get("ASSIGNMENT_TYPE") or "individual",
        owner=value("OWNER", "USERNAME"),
        submission=value("SUBMISSION_TAG"),
        commit=value("COMMIT_URL"),
        release=value("RELEASE_URL"),
        review=value("REVIEW_URL", "COMMIT_URL"),
    )


def render(report: Report, runner: Runner | None = None) -> str:
    """Return the content of `result.json`; `runner` is by default what the environment says.

    Raises MachineError where something was not judged: Classroom 50 has no word for that, and would take 0 points.
    """
    if not report.judged:
        raise MachineError(
            "Not everything could be judged, so there is no result for Classroom 50; grade it again."
        )
    runner = runner or take_runner()
    tests = list(_tests(report))
    result = {
        "schema": SCHEMA,
        **asdict(runner),
        "datetime": _instant(runner.submission) or report.started,
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
        "output": "\n\n".join(told),
    }


def _instant(submission: str) -> str | None:
    """Return when the submission was made, which its tag says and a regrade does not change."""
    match = _INSTANT.match(submission)
    return f"{match[1]}{match[2]}:{match[3]}:{match[4]}Z" if match else None
