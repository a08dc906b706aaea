"""The HTML report: one file that is valid, refers to nothing outside itself, and shows hostile text as text."""

import itertools
import re
from pathlib import Path

import html5lib
import pytest
from lxml import html

from chaos.history import History
from grading import results
from grading.html import render_html
from grading.html.events import MOST_ROWS
from grading.html.timeline import draw
from grading.report import ControlFailure, Report
from lab.result import CriterionResult, ExerciseResult, Moment
from tests.lab.story import Story
from tests.recordings import unpack

pytestmark = pytest.mark.medium

HOSTILE = "</script></style><img src=//evil.test onerror=alert(1)> {{ 7*7 }} {% raw %} \u202e \x00 \x1b[31m \" ' &amp;"
NAMES = ["reference", "starter"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("recorded")
    return {name: render_html(*results.load(unpack(name, folder))) for name in NAMES}


def hostile_report() -> tuple[Report, dict[str, History]]:
    story = Story("hang")
    story.log(HOSTILE)
    history = story.end()
    moment = Moment(experiment="hang", event=len(history.events) - 2, t=1.0, text=HOSTILE)
    criterion = CriterionResult(
        number="1.1",
        name="hostile",
        title=HOSTILE,
        essential=True,
        points=1.0,
        status="failed",
        expected=HOSTILE,
        actual=HOSTILE,
        tried=HOSTILE,
        blame="submission",
        moments=(moment,),
        request=HOSTILE,
        log=(HOSTILE, HOSTILE),
        hint=HOSTILE,
    )
    exercise = ExerciseResult(
        number=1,
        title="Exercise",
        core=True,
        bonus=False,
        points=0,
        max_points=15,
        level="none",
        criteria=(criterion,),
    )
    report = Report(
        submission=HOSTILE,
        assessment="exam",
        scheme="levels",
        commit=HOSTILE,
        dirty=True,
        started="2026-11-21T10:00:00+00:00",
        seconds=1.0,
        seed=7,
        fault_proxy="none",
        control_failure=ControlFailure(
            experiment="hang", reason=HOSTILE, started=True, answer=HOSTILE, log=(HOSTILE,)
        ),
        left=(HOSTILE,),
        exercises=(exercise,),
        next_step=HOSTILE,
        problem=HOSTILE,
    )
    return report, {"hang": history}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_valid_html(name: str, pages: dict[str, str]) -> None:
    html5lib.HTMLParser(strict=True).parse(pages[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_id_is_there_once_and_every_link_leads_to_one(name: str, pages: dict[str, str]) -> None:
    tree = html.fromstring(pages[name])
    ids = [str(one) for one in tree.xpath("//@id")]
    links = [str(one) for one in tree.xpath("//@href")]

    assert len(ids) == len(set(ids))
    assert len(links) > 50
    assert {link for link in links if link[:1] != "#" or link[1:] not in ids} == set()
    labels = {word for text in tree.xpath("//@aria-labelledby") for word in str(text).split()}
    assert labels <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_refers_to_nothing_outside_itself(name: str, pages: dict[str, str]) -> None:
    tree = html.fromstring(pages[name])

    assert (
        tree.xpath(
            "//link | //img | //iframe | //object | //@src | //@style | //@*[starts-with(name(), 'on')]"
        )
        == []
    )
    assert "url(" not in "".join(tree.xpath("//style/text()"))
    assert "default-src 'none'" in tree.xpath("//meta[@http-equiv]/@content")[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_moment_of_the_report_is_marked_in_its_timeline_and_leads_back(
    name: str, pages: dict[str, str], tmp_path: Path
) -> None:
    report, histories = results.load(unpack(name, tmp_path))
    tree = html.fromstring(pages[name])
    places = {
        experiment: section
        for section in tree.xpath("//section[@class='experiment']")
        for experiment in section.xpath(".//h3/text()")
    }

    with_service = {experiment for experiment, history in histories.items() if draw(history).lanes}

    assert places.keys() == histories.keys()
    for exercise in report.exercises:
        for criterion in exercise.criteria:
            for moment in criterion.moments:
                section = places[moment.experiment]
                anchor = f"{section.get('id')}-e{moment.event}"
                [row] = section.xpath(f".//tr[@id='{anchor}']")
                assert criterion.number in row.xpath(".//a/text()")
                if moment.experiment in with_service:
                    assert section.xpath(f".//a[@class='moment'][@href='#{anchor}']")
                else:
                    assert (
                        section.xpath("string(.//p[@class='note'])") == "No service ran in this experiment."
                    )


@pytest.mark.parametrize("name", NAMES)
def test_a_page_stays_small_and_says_what_it_leaves_out(name: str, pages: dict[str, str]) -> None:
    tree = html.fromstring(pages[name])
    captions = [" ".join(one.text_content().split()) for one in tree.xpath("//div[@class='events']//caption")]

    assert len(pages[name].encode()) < 4_000_000
    assert max(len(body) - len(body.xpath("tr[@class='gap']")) for body in tree.xpath("//tbody")) <= MOST_ROWS
    assert any(
        re.match(rf"{MOST_ROWS} of \d+ events; all of them are in histories/", one) for one in captions
    )


def test_filters_and_headings_are_there_without_a_script(pages: dict[str, str]) -> None:
    tree = html.fromstring(pages["starter"])

    assert [" ".join(one.text_content().split()) for one in tree.xpath("//fieldset/label")] == [
        "all (49)",
        "failed (34)",
        "not judged (3)",
        "passed (12)",
    ]
    levels = [int(one.tag[1]) for one in tree.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(tree.xpath("//main")) == len(tree.xpath("//header")) == len(tree.xpath("//footer")) == 1


def test_hostile_text_is_shown_as_text() -> None:
    page = render_html(*hostile_report())

    html5lib.HTMLParser(strict=True).parse(page)
    tree = html.fromstring(page)
    assert len(tree.xpath("//script")) == len(tree.xpath("//style")) == 1
    assert tree.xpath("//img") == []
    assert not set(page) & set("\u202e\x00\x1b")
    assert "49" not in " ".join(tree.xpath("//h1/text()"))
    shown = tree.xpath("//h1/text()")[0]
    assert shown.startswith("</script></style><img src=//evil.test onerror=alert(1)> {{ 7*7 }} {% raw %}")
    assert "&amp;" in shown


def test_a_report_without_histories_is_a_page_too(tmp_path: Path) -> None:
    report, _ = hostile_report()

    page = render_html(report, {})

    html5lib.HTMLParser(strict=True).parse(page)
    assert html.fromstring(page).xpath("//section[@class='experiment']") == []


def test_a_moment_that_the_history_does_not_have_is_told_without_a_link() -> None:
    report, _ = hostile_report()

    page = render_html(report, {"hang": History([])})

    tree = html.fromstring(page)
    assert tree.xpath("//a[@class='moment']") == []
    assert "event" in tree.xpath("string(//dl//li)")
