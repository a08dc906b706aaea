"""The HTML report in a real browser: what a student sees, and does with the keyboard."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from chaos.history import History
from grading import results
from grading.html import render_html
from grading.html.events import Row, listed
from grading.html.timeline import draw
from grading.report import Report
from lab.result import CriterionResult, Moment
from tests.browser import Visitor, brightness, is_wider_than_its_window
from tests.grading.html.test_page import HOSTILE, hostile_report
from tests.recordings import unpack

pytestmark = pytest.mark.slow

WIDTHS = (390, 1280, 1900)
MEGABYTE = 1_000_000
HEBREW = "שלום 123 (עולם)"

Run = tuple[Report, dict[str, History]]
Write = Callable[[str], Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The recorded grading of the starter, which fails in many ways."""
    return results.load(unpack("starter", tmp_path_factory.mktemp("recorded")))


@pytest.fixture(scope="module")
def starter(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(*run), encoding="utf-8")
    return path


def first_moment(run: Run) -> tuple[CriterionResult, Moment]:
    """Return the first failure that rests on a moment of a running service, and that moment."""
    report, histories = run
    return next(
        (criterion, moment)
        for exercise in report.exercises
        for criterion in exercise.criteria
        if criterion.status == "failed"
        for moment in criterion.moments
        if draw(histories[moment.experiment]).lanes
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_page(source: str) -> Path:
        path = tmp_path / "report.html"
        path.write_text(source, encoding="utf-8")
        return path

    return write_page


def rows(run: Run, name: str) -> tuple[Row, ...]:
    """Return the event list of an experiment."""
    report, histories = run
    moments = {
        moment.event
        for exercise in report.exercises
        for criterion in exercise.criteria
        for moment in criterion.moments
        if moment.experiment == name
    }
    return listed(histories[name], moments)


def experiment(page: Page, name: str) -> Locator:
    return page.locator(".experiment", has=page.get_by_role("heading", name=name, exact=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_shown_light_and_dark_without_an_error_or_a_request(
    scheme: str, starter: Path, visitor: Visitor
) -> None:
    page = visitor.open(starter, color_scheme=scheme)

    expect(page.get_by_role("heading", level=1)).to_have_text("starter")
    expect(page.locator(".total")).to_contain_text("0 of 100 points")
    assert (brightness(page) > 200) is (scheme == "light")


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_window(width: int, starter: Path, visitor: Visitor) -> None:
    page = visitor.open(starter, viewport={"width": width, "height": 800})

    assert not is_wider_than_its_window(page)


def test_filters_work_by_keyboard(run: Run, starter: Path, visitor: Visitor) -> None:
    told = Counter(one.status for exercise in run[0].exercises for one in exercise.criteria)
    page = visitor.open(starter)
    criteria = page.locator(".criterion")
    exercises = page.locator(".exercise")

    page.get_by_role("radio", name="all (").focus()
    shown = {}
    for status in ("all", "failed", "not judged", "passed"):
        expect(page.get_by_role("radio", checked=True)).to_have_accessible_name(re.compile(rf"{status} \("))
        visible = criteria.filter(visible=True)
        shown[status] = visible.count()
        if status != "all":
            assert set(visible.locator(".status").all_inner_texts()) == {status}
            assert exercises.filter(visible=True).count() == exercises.filter(has=visible).count()
        page.keyboard.press("ArrowDown")

    assert shown == told | Counter(all=told.total())
    assert criteria.filter(visible=True).count() == told.total()


def test_failures_are_open_and_the_rest_opens_by_keyboard(starter: Path, visitor: Visitor) -> None:
    page = visitor.open(starter)
    failed = page.locator("details.failed").first
    passed = page.locator("details.passed").first

    expect(failed.locator("dl")).to_be_visible()
    expect(passed.locator("dl")).to_be_hidden()
    passed.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(passed.locator("dl")).to_be_visible()
    page.keyboard.press("Enter")
    expect(passed.locator("dl")).to_be_hidden()


def test_the_first_stop_of_the_keyboard_skips_to_the_criteria(starter: Path, visitor: Visitor) -> None:
    page = visitor.open(starter)

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the criteria")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Criteria")).to_be_in_viewport()
    expect(page.get_by_role("heading", name="Criteria")).to_be_focused()


def test_marks_are_level_with_the_name_of_their_lane(run: Run, starter: Path, visitor: Visitor) -> None:
    _, moment = first_moment(run)
    lanes = draw(run[1][moment.experiment]).lanes
    part = experiment(visitor.open(starter), moment.experiment)
    part.scroll_into_view_if_needed()

    names = part.locator(".lanes text")
    assert names.all_text_contents() == [lane.name for lane in lanes]
    assert len(lanes) > 3
    for place, lane in enumerate(lanes):
        name = names.nth(place).bounding_box()
        mark = part.locator(f'.{lane.marks[0].kind}[data-e="{lane.marks[0].event}"]').first.bounding_box()
        assert name
        assert mark
        assert mark["y"] == pytest.approx(name["y"], abs=8)


def test_evidence_leads_to_its_moment_and_back(run: Run, starter: Path, visitor: Visitor) -> None:
    cited, moment = first_moment(run)
    page = visitor.open(starter)
    criterion = page.locator("details", has=page.get_by_role("heading", name=f"{cited.number} "))

    criterion.get_by_role("link", name=f"event {moment.event} of {moment.experiment}").click()
    row = page.locator("tr:target")
    expect(row).to_be_in_viewport()
    expect(row.locator("td").first).to_have_text(str(moment.event))
    row.get_by_role("link", name=str(moment.event), exact=True).click()
    mark = page.locator("a.moment:target")
    expect(mark).to_be_in_viewport()
    expect(mark).to_have_accessible_name(re.compile(rf"Event {moment.event}, for .*{cited.number}"))
    mark.focus()
    page.keyboard.press("Enter")
    expect(row).to_be_in_viewport()
    row.get_by_role("link", name=cited.number, exact=True).click()
    expect(criterion).to_be_in_viewport()


def test_a_list_of_events_begins_at_the_first_moment_that_counts(
    run: Run, starter: Path, visitor: Visitor
) -> None:
    _, moment = first_moment(run)
    part = experiment(visitor.open(starter), moment.experiment)

    part.locator(".events").scroll_into_view_if_needed()

    expect(part.locator("tr.cited").first).to_be_in_viewport()


def test_a_mark_tells_what_it_is_and_leads_to_its_event(run: Run, starter: Path, visitor: Visitor) -> None:
    _, moment = first_moment(run)
    page = visitor.open(starter)
    part = experiment(page, moment.experiment)
    shown = {row.event for row in rows(run, moment.experiment)}
    lanes = draw(run[1][moment.experiment]).lanes
    event = next(one.event for lane in lanes for one in lane.marks if one.width and one.event in shown)
    mark = part.locator(f'rect[data-e="{event}"]').first

    mark.dispatch_event("mouseover")  # another mark may lie over it
    expect(page.locator("#tip")).to_be_visible()
    expect(page.locator("#tip")).to_have_text(mark.locator("title").text_content() or "nothing")
    mark.dispatch_event("mouseout")
    expect(page.locator("#tip")).to_be_hidden()
    mark.dispatch_event("click")
    expect(page.locator("tr:target")).to_be_in_viewport()
    expect(page.locator("tr:target td").first).to_have_text(str(event))


@pytest.mark.parametrize("by_keyboard", [True, False])
def test_a_timeline_can_be_zoomed(run: Run, starter: Path, visitor: Visitor, *, by_keyboard: bool) -> None:
    _, moment = first_moment(run)
    page = visitor.open(starter)
    part = experiment(page, moment.experiment)
    drawing = part.locator(".drawing")
    part.scroll_into_view_if_needed()

    def press(key: str, button: str) -> float:
        if by_keyboard:
            part.get_by_role("group", name=f"Timeline of {moment.experiment},").focus()
            page.keyboard.press(key)
        else:
            part.get_by_role("button", name=button).click()
        box = drawing.bounding_box()
        assert box
        return box["width"]

    fitting = press("0", "Fit to width")
    assert press("+", "Zoom in") == pytest.approx(2 * fitting, rel=0.01)
    assert press("+", "Zoom in") == pytest.approx(4 * fitting, rel=0.01)
    assert press("-", "Zoom out") == pytest.approx(2 * fitting, rel=0.01)
    assert press("0", "Fit to width") == fitting
    assert not is_wider_than_its_window(page)


def test_it_prints_with_everything_open_and_is_as_before(starter: Path, visitor: Visitor) -> None:
    page = visitor.open(starter)
    count_closed = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(count_closed)
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.closedInPrint = {count_closed}; }})")

    document = page.pdf(format="A4")

    assert document.startswith(b"%PDF")
    assert before > 0
    assert page.evaluate("window.closedInPrint") == 0
    assert page.evaluate(count_closed) == before
    page.emulate_media(media="print")
    expect(page.locator(".filters")).to_be_hidden()
    expect(page.locator(".zoom").first).to_be_hidden()
    expect(page.locator("tr.cited").first).to_be_visible()


def with_text(text: str) -> Run:
    """Return the hostile report with a text in every place of its criterion and of its failure."""
    report, histories = hostile_report()
    [exercise] = report.exercises
    [criterion] = exercise.criteria
    told = {"actual": text, "expected": text, "hint": text, "request": text, "tried": text, "log": (text,)}
    criterion = criterion.model_copy(update=told)
    exercise = exercise.model_copy(update={"criteria": (criterion,)})
    return report.model_copy(update={"exercises": (exercise,), "problem": text}), histories


def test_hostile_text_stays_text(write: Write, visitor: Visitor) -> None:
    page = visitor.open(write(render_html(*hostile_report())))

    expect(page.get_by_role("heading", level=1)).to_contain_text("</script></style><img src=//evil.test")
    assert (
        page.evaluate("document.images.length + document.scripts.length + document.styleSheets.length") == 2
    )
    assert page.title().startswith(HOSTILE[:20])
    expect(page.locator("dd code")).to_contain_text("{{ 7*7 }} {% raw %}")
    expect(page.get_by_role("radio", name="failed (1)")).to_be_visible()


@pytest.mark.parametrize("text", ["x" * MEGABYTE, "<b>&" * (MEGABYTE // 4), "\n" * 1000 + "end"])
def test_a_megabyte_of_text_neither_breaks_the_page_nor_its_width(
    text: str, write: Write, visitor: Visitor
) -> None:
    page = visitor.open(write(render_html(*with_text(text))))

    page.get_by_role("radio", name="passed (0)").check()
    expect(page.locator(".criterion")).to_be_hidden()
    assert not is_wider_than_its_window(page)


def test_text_from_right_to_left_moves_nothing_else(write: Write, visitor: Visitor) -> None:
    page = visitor.open(write(render_html(*with_text(HEBREW))))

    label = page.locator(".criterion dt", has_text="Actual").bounding_box()
    text = page.locator(".criterion .actual dd").bounding_box()
    assert label
    assert text
    expect(page.locator(".criterion .actual dd")).to_have_text(HEBREW)
    assert label["x"] < text["x"]
