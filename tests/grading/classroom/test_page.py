"""The page about a class: valid, self-contained, and hostile text is text."""

from datetime import timedelta

import html5lib
from lxml import html

from grading.classroom.grades import Grade
from grading.classroom.page import ClassPage, render_page
from grading.classroom.roster import LateRule
from grading.classroom.similarity import Pair
from tests.grading.classroom.samples import MENTIONS, make_grade, make_student

HOSTILE = "</title></style><script>alert(1)</script><img src=//evil.test onerror=alert(1)> {{ 7*7 }} \u202e \x1b[31m \" '"
PAIRS = [Pair("a", "b", 0.83, 120, (("app.py", "main.py"), (HOSTILE, HOSTILE)))]


def grades() -> list[Grade]:
    rule = LateRule(points_per_day=5, cap=20)
    return [
        make_grade("Ada", 100, before=50.0),
        make_grade("Grace", 72.5, late=timedelta(hours=1), rule=rule),
        make_grade(HOSTILE, 10, id="s3", repository="/fork", reason=HOSTILE),
        make_grade("Nobody", None, reason="there is no folder"),
        Grade(
            make_student("Waiting", repository="https://me:s3cret@example.org/fork.git"), None, None, MENTIONS
        ),
    ]


def render(*, complete: bool = True) -> str:
    running = () if complete else ("waiting",)
    return render_page(ClassPage("A <class>", grades(), complete, running, PAIRS, ["gradebook.csv"]))


def test_it_is_valid_and_needs_nothing_else() -> None:
    parser = html5lib.HTMLParser(strict=True)
    for complete in (True, False):
        parser.parse(render(complete=complete))

    page = html.fromstring(render())
    links = page.xpath("//@href | //@src")
    assert links
    assert not [link for link in links if "//" in link]


def test_it_refreshes_itself_until_the_end() -> None:
    refresh = "//meta[@http-equiv='refresh']/@content"

    assert html.fromstring(render(complete=False)).xpath(refresh) == ["5"]
    assert html.fromstring(render()).xpath(refresh) == []


def test_hostile_text_is_text() -> None:
    source = render()
    page = html.fromstring(source)

    assert len(page.xpath("//script")) == 1
    assert page.xpath("//img | //@onerror") == []
    assert "{{ 7*7 }}" in page.text_content()
    assert "49" not in page.xpath("//table")[0].text_content()
    assert "\u202e" not in source
    assert "\x1b" not in source
    assert "s3cret" not in source


def test_each_student_has_a_line() -> None:
    page = html.fromstring(render(complete=False))
    rows = {
        row.xpath("string(th)"): [" ".join(cell.text_content().split()) for cell in row.xpath("td")]
        for row in page.xpath("//table[@class='students']/tbody/tr")
    }

    assert rows["ada"][1:5] == ["graded", "100 of 100", "distinction", "+50 2.1 ✓"]
    assert rows["grace"][1:4] == ["graded", "67.5 of 100", "passed"]
    assert rows["grace"][6] == "1 h 0 min late: -5 points"
    assert rows["nobody"][1:3] == ["not fetched", ""]
    assert rows["waiting"][1] == "being graded"
    assert page.xpath("//a[text()='ada']/@href") == ["students/ada/report.html"]


def test_statistics_are_of_those_who_have_a_grade() -> None:
    page = html.fromstring(render())
    points, _, failing = page.xpath("//figure")

    assert "Of 3 grades: 59.2 points on average, median 67.5" in page.text_content()
    told = [text for text in points.xpath(".//g/title/text()") if not text.endswith(" 0 students")]
    assert told == ["10 to 20: 1 student", "60 to 70: 1 student", "90 to 100: 1 student"]
    assert failing.xpath(".//g/title/text()") == ["2.1 Criterion 2.1: 2 of 3", "1.1 Criterion 1.1: 1 of 3"]


def test_a_class_without_grades_has_a_page() -> None:
    waiting = [Grade(make_student("Waiting"), None, None, MENTIONS)]

    source = render_page(ClassPage("Exam", waiting, complete=False))

    html5lib.HTMLParser(strict=True).parse(source)
    assert "Statistics" not in source
