import re

import pytest
from markdown_it import MarkdownIt

from grading.formats.markdown import escaped, render
from grading.report import Report
from tests.grading.formats.samples import HOSTILE

pytestmark = pytest.mark.medium

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td"}


def tags(html: str) -> set[str]:
    return set(re.findall(r"<([a-z0-9]+)", html))


def test_a_report_is_headings_lists_and_one_table_and_nothing_of_a_submission_is_markup(
    report: Report,
) -> None:
    html = PARSER.render(render(report))

    assert tags(html) <= OURS
    assert html.count("<table>") == 1
    assert html.count("<h2>") == len(report.exercises)
    assert not re.search(r"https?://|www\.", render(report))


def test_hostile_text_is_shown_as_it_is() -> None:
    html = PARSER.render(escaped(HOSTILE))

    assert tags(html) == {"p"}
    assert "**bold** [link](http://evil.test)" in html
    assert "http://" not in escaped(HOSTILE)


def test_the_beginning_of_a_line_makes_no_list_and_no_heading() -> None:
    for text in ("# one", "- one", "1. one", "2) one", "+ one", "> one", "===", "---", "~~~"):
        assert tags(PARSER.render(escaped(text))) == {"p"}, text


def test_a_failed_criterion_has_its_reason_and_its_hint(starter: Report) -> None:
    text = render(starter)

    assert "- ❌ **3.1 a hanging model gives 504 within 30 s**: failed\n  - Actual: no answer" in text
    assert "  - Hint: Find out what limits" in text
