import re

import pytest

from grading.formats.github import render
from grading.report import Report

pytestmark = pytest.mark.medium

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]+)")


def test_every_line_is_one_command_whatever_a_submission_says(report: Report) -> None:
    lines = render(report).removesuffix("\n").split("\n")

    matches = [COMMAND.fullmatch(line) for line in lines]
    assert all(matches)
    criteria = [one for exercise in report.exercises for one in exercise.criteria if not one.passed]
    assert len(lines) == len(criteria) + 1
    assert all("%" not in re.sub("%(25|0A|0D|3A|2C)", "", line) for line in lines)


def test_the_last_line_is_the_grade(starter: Report) -> None:
    lines = render(starter).splitlines()

    assert lines[-1].startswith("::error title=starter::0 of 100 points%3A not passed".replace("%3A", ":"))
    assert sum(line.startswith("::warning") for line in lines) == 3
