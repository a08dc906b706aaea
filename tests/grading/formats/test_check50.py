import json

from grading.formats.check50 import render
from grading.report import Report

PASSED = {"passed": True, "failed": False, "not judged": None}


def test_every_criterion_is_a_result_with_a_name_of_its_own(report: Report) -> None:
    result = json.loads(render(report))

    criteria = [one for exercise in report.exercises for one in exercise.criteria]
    names = [one["name"] for one in result["results"]]
    assert len(names) == len(set(names)) == len(criteria)
    assert all(name.isidentifier() for name in names)
    assert [one["passed"] for one in result["results"]] == [PASSED[one.status] for one in criteria]
    assert all(one.keys() == KEYS for one in result["results"])


KEYS = {"name", "description", "passed", "log", "cause", "data", "dependency"}


def test_a_failure_has_a_cause_and_a_pass_has_none(starter: Report) -> None:
    results = {one["name"]: one for one in json.loads(render(starter))["results"]}

    cause = results["ex3_deadline"]["cause"]
    assert cause["rationale"] == cause["actual"] == "no answer within 36 s"
    assert cause["expected"] == "504 within 30 s, all attempts together"
    assert cause["help"].startswith("Find out what limits")
    assert all((one["cause"] is None) == (one["passed"] is True) for one in results.values())
