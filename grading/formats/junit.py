"""JUnit XML: a suite for each exercise, a case for each criterion.

A criterion that was not judged is `skipped` if that is the submission's doing, and an `error` otherwise.
"""

import re
from xml.etree import ElementTree as ET  # writes only; nothing is parsed

from chaos.plain_text import plain
from grading.formats.words import details, summary, title
from grading.report import Report
from lab.result import CriterionResult, ExerciseResult

_NOT_XML = re.compile("[\ufffe\uffff]")


def render(report: Report) -> str:
    """Return a report as JUnit XML."""
    root = ET.Element("testsuites", name=_text(report.submission), time=f"{report.seconds:.1f}")
    for exercise in report.exercises:
        root.append(_suite(exercise, report))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(exercise: ExerciseResult, report: Report) -> ET.Element:
    name = f"Exercise {exercise.number} {exercise.title}"
    suite = ET.Element("testsuite", name=_text(name), timestamp=report.started, time="0")
    properties = ET.SubElement(suite, "properties")
    for key, value in {
        "points": f"{exercise.points:g}",
        "max_points": f"{exercise.max_points:g}",
        "level": exercise.level,
    }.items():
        ET.SubElement(properties, "property", name=key, value=value)
    for criterion in exercise.criteria:
        suite.append(_case(criterion, f"{report.assessment}.ex{exercise.number}"))
    kinds = [child.tag for case in suite.iter("testcase") for child in case]
    suite.set("tests", str(len(exercise.criteria)))
    for count, kind in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(count, str(kinds.count(kind)))
    ET.SubElement(suite, "system-out").text = _text(summary(report))
    return suite


def _case(criterion: CriterionResult, group: str) -> ET.Element:
    case = ET.Element("testcase", classname=_text(group), name=_text(title(criterion)), time="0")
    if criterion.passed:
        return case
    whose = "skipped" if criterion.blame == "submission" else "error"
    kind = "failure" if criterion.status == "failed" else whose
    outcome = ET.SubElement(case, kind, type=criterion.status, message=_text(criterion.actual))
    outcome.text = _text(details(criterion))
    return case


def _text(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub(" ", plain(text))
