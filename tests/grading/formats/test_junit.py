from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from grading.formats.junit import render
from grading.report import Report

pytestmark = pytest.mark.medium

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))


def test_a_report_keeps_the_schema_and_its_counts_are_those_of_its_cases(report: Report) -> None:
    root = etree.fromstring(render(report).encode())

    SCHEMA.assertValid(root)
    statuses = Counter(one.status for exercise in report.exercises for one in exercise.criteria)
    kinds = Counter(one.tag for one in root.xpath("//testcase/*"))
    assert int(root.get("tests")) == statuses.total()
    assert int(root.get("failures")) == kinds["failure"] == statuses["failed"]
    assert int(root.get("errors")) == kinds["error"]
    assert kinds["error"] + kinds["skipped"] == statuses["not judged"]


def test_what_the_grader_could_not_judge_is_an_error_and_what_the_service_leaves_open_is_skipped(
    starter: Report, unfetched: Report
) -> None:
    assert {one.tag for one in etree.fromstring(render(unfetched).encode()).xpath("//testcase/*")} == {
        "error"
    }
    assert len(etree.fromstring(render(starter).encode()).xpath("//skipped")) == 3


def test_a_failure_has_its_reason_as_message_and_its_hint_below(starter: Report) -> None:
    root = etree.fromstring(render(starter).encode())

    [failure] = root.xpath("//testcase[starts-with(@name, '3.1 ')]/failure")
    assert failure.get("message") == "no answer within 36 s"
    assert "Expected: 504 within 30 s" in failure.text
    assert "Hint: Find out what limits the whole request" in failure.text
