import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from grading.formats.gradescope import render
from grading.report import Report

Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]
Text = Literal["text", "simple_format", "html", "md", "ansi"]


class Case(BaseModel):
    """What Gradescope's page on autograders says of a test."""

    model_config = ConfigDict(extra="forbid", strict=True)

    score: float | None = Field(default=None, ge=0)
    max_score: float | None = None
    status: Literal["passed", "failed"] | None = None
    name: str | None = None
    name_format: Text | None = None
    number: str | None = None
    output: str | None = None
    output_format: Text | None = None
    tags: list[str] | None = None
    visibility: Visibility | None = None
    extra_data: dict[str, Any] | None = None


class Results(BaseModel):
    """What it says of `results.json`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    score: float = Field(ge=0)
    execution_time: int
    output: str
    output_format: Text
    test_output_format: Text
    test_name_format: Text
    visibility: Visibility
    stdout_visibility: Visibility
    extra_data: dict[str, Any]
    tests: list[Case]


def test_a_report_keeps_the_rules(report: Report) -> None:
    results = Results.model_validate_json(render(report))

    assert results.score == report.total
    scored = [one for one in results.tests if one.score is not None]
    bonus = [report.bonus.points] if report.bonus else []
    assert [one.score for one in scored] == [*(one.points for one in report.exercises), *bonus]
    assert len(results.tests) - len(scored) == sum(len(one.criteria) for one in report.exercises)


def test_what_was_not_judged_is_neither_passed_nor_failed(unfetched: Report) -> None:
    tests = json.loads(render(unfetched))["tests"]
    criteria = [one for one in tests if "score" not in one]

    assert criteria
    assert all("status" not in one for one in tests)
    assert all("status" not in one and "not judged (harness)" in one["output"] for one in criteria)


def test_a_student_does_not_see_the_graders_own_output(starter: Report) -> None:
    assert json.loads(render(starter))["stdout_visibility"] == "hidden"


@pytest.mark.parametrize("number", ["3.1", "6.1"])
def test_a_failure_has_its_reason_and_its_hint(number: str, starter: Report) -> None:
    [case] = [one for one in json.loads(render(starter))["tests"] if one.get("number") == number]

    assert case["status"] == "failed"
    assert case["output"].startswith("Actual: ")
    assert "\nHint: " in case["output"]
