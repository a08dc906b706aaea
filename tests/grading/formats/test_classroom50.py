import json
import re
from pathlib import Path

import pytest

from grading.errors import MachineError, UsageError
from grading.formats.classroom50 import render, take_runner
from grading.report import Report
from tests.grading.formats.samples import NAMES, sample

pytestmark = pytest.mark.medium

RUNNER = {
    "CLASSROOM": "llmops",
    "ASSIGNMENT": "exam",
    "USERNAME": "alice",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://example.org/commit/a1b2c3d",
    "RELEASE_URL": "https://example.org/releases/1",
}
TEXTS = {
    "schema",
    "classroom",
    "assignment",
    "assignment_type",
    "owner",
    "submission",
    "commit",
    "release",
    "review",
    "datetime",
}
OTHERS = {"graded_at", "score", "max-score", "tests"}


@pytest.fixture(params=[one for one in NAMES if one != "unfetched"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Report:
    """One report of every sort that was judged."""
    return sample(request.param, tmp_path)


def test_what_was_not_judged_has_no_result(unfetched: Report) -> None:
    with pytest.raises(MachineError, match="Not everything could be judged"):
        render(unfetched, take_runner(RUNNER))


def test_a_report_keeps_the_contract(report: Report) -> None:
    result = json.loads(render(report, take_runner(RUNNER)))

    assert result.keys() == TEXTS | OTHERS
    assert all(isinstance(result[name], str) and result[name] for name in TEXTS)
    assert result["schema"] == "classroom50/result/v1"
    for one in (result, *result["tests"]):
        assert type(one["score"]) is type(one["max-score"]) is int
        assert 0 <= one["score"] <= one["max-score"]
    assert result["score"] == sum(one["score"] for one in result["tests"])
    assert result["max-score"] == sum(one["max-score"] for one in result["tests"])
    assert all(type(one["passed"]) is bool and one["test-name"] for one in result["tests"])


def test_no_half_point_is_lost(report: Report) -> None:
    result = json.loads(render(report, take_runner(RUNNER)))

    bonus = report.bonus.points if report.bonus else 0
    assert result["score"] == 100 * (report.points + bonus)


def test_the_instant_is_that_of_the_submission_and_the_same_in_a_regrade(starter: Report) -> None:
    later = starter.model_copy(update={"started": "2030-01-01T00:00:00+00:00"})
    results = [json.loads(render(one, take_runner(RUNNER))) for one in (starter, later)]

    assert {one["datetime"] for one in results} == {"2026-06-01T14:32:05Z"}
    assert results[1]["graded_at"] == later.started
    assert re.match(r"\d{4}-", results[0]["graded_at"])


@pytest.mark.parametrize("name", RUNNER)
def test_a_variable_that_is_not_set_is_wrong_use(name: str) -> None:
    rest = {key: value for key, value in RUNNER.items() if key != name}

    with pytest.raises(UsageError, match="is not set; --format classroom50 needs"):
        take_runner(rest)
