import json
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from grading.formats.prairielearn import render
from grading.report import Report

pytestmark = pytest.mark.medium


class Case(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    description: str = ""
    points: float
    max_points: float
    message: str = ""
    output: str = ""


class Results(BaseModel):
    """What PrairieLearn's page on external grading says of `results.json`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gradable: bool
    score: float = Field(ge=0, le=1)
    message: str
    output: str
    format_errors: list[str] = Field(default_factory=list)
    tests: list[Case]


def test_a_report_keeps_the_rules(report: Report) -> None:
    text = render(report)
    results = Results.model_validate_json(text)

    assert len(text.encode()) < 2**20
    assert results.gradable == report.judged
    assert bool(results.format_errors) != results.gradable
    assert [one.points for one in results.tests] == [one.points for one in report.exercises]


def test_what_could_not_be_judged_costs_no_attempt(unfetched: Report) -> None:
    result = json.loads(render(unfetched))

    assert (result["gradable"], result["format_errors"]) == (False, ["There is no folder."])


def test_a_report_stays_below_the_limit_however_much_a_submission_says(starter: Report) -> None:
    wordy: list[Literal["\U0001f600", "x", '"']] = ["\U0001f600", "x", '"']
    for letter in wordy:
        exercises = tuple(
            one.model_copy(
                update={
                    "criteria": tuple(
                        criterion.model_copy(update={"actual": letter * 100_000})
                        for criterion in one.criteria
                    )
                }
            )
            for one in starter.exercises
        )
        assert len(render(starter.model_copy(update={"exercises": exercises})).encode()) < 1_000_000
