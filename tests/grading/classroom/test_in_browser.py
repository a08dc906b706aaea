"""The page about a class in a real browser."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from grading.classroom.grades import Grade
from grading.classroom.page import INDEX, ClassPage, render_page
from grading.classroom.page import page as page_module
from tests.browser import Visitor, brightness, is_wider_than_its_window
from tests.grading.classroom.samples import make_grade
from tests.grading.classroom.test_page import HOSTILE, PAIRS, grades

pytestmark = pytest.mark.slow

STUDENTS = ".students tbody th"
CLASS = [make_grade("Ada", 100), make_grade("Bob", 9.5), make_grade("Cleo", None), make_grade("Dan", 72)]


def write(folder: Path, graded: Sequence[Grade], *, complete: bool = True) -> Path:
    path = folder / INDEX
    page = ClassPage("A class", graded, complete, (), PAIRS, ["gradebook.csv"])
    path.write_text(render_page(page), encoding="utf-8")
    return path


def students(page: Page) -> list[str]:
    return page.locator(STUDENTS).all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_shown_and_hostile_text_stays_text(
    scheme: str, width: int, tmp_path: Path, visitor: Visitor
) -> None:
    path = write(tmp_path, grades())

    page = visitor.open(path, color_scheme=scheme, viewport={"width": width, "height": 800})

    expect(page.locator("h1")).to_have_text("A class")
    expect(page.locator(".students tbody tr")).to_have_count(len(grades()))
    assert page.evaluate("document.images.length + document.scripts.length") == 1
    expect(page.locator(".remarks").nth(2)).to_contain_text(HOSTILE[:60])
    assert (brightness(page) > 200) is (scheme == "light")
    assert not is_wider_than_its_window(page)


def test_the_table_sorts_by_mouse_and_keyboard(tmp_path: Path, visitor: Visitor) -> None:
    page = visitor.open(write(tmp_path, CLASS))
    points = page.get_by_role("button", name="Points")
    heading = page.get_by_role("columnheader", name="Points")

    assert students(page) == ["ada", "bob", "cleo", "dan"]
    points.click()
    assert students(page) == ["bob", "dan", "ada", "cleo"]
    expect(heading).to_have_attribute("aria-sort", "ascending")
    points.focus()
    page.keyboard.press("Enter")
    assert students(page) == ["ada", "dan", "bob", "cleo"]
    expect(heading).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Name").click()
    assert students(page) == ["ada", "bob", "cleo", "dan"]
    expect(page.locator("[aria-sort]")).to_have_count(1)


def test_links_lead_to_the_reports(tmp_path: Path, visitor: Visitor) -> None:
    report = tmp_path / "students/ada/report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<!DOCTYPE html><title>Report of Ada</title>", encoding="utf-8")
    page = visitor.open(write(tmp_path, CLASS))

    page.get_by_role("link", name="ada").click()

    expect(page).to_have_title("Report of Ada")


def test_it_refreshes_itself_in_its_order_until_the_class_is_graded(
    tmp_path: Path, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "REFRESH_SECONDS", 1)
    page = visitor.open(write(tmp_path, CLASS[:2], complete=False))
    expect(page.locator(".live")).to_be_visible()
    page.get_by_role("button", name="Points").click()

    write(tmp_path, CLASS, complete=False)
    expect(page.locator(STUDENTS)).to_have_text(["bob", "dan", "ada", "cleo"])
    write(tmp_path, CLASS)
    expect(page.locator(".live")).to_have_count(0)
    expect(page.locator(STUDENTS)).to_have_text(["bob", "dan", "ada", "cleo"])

    page.evaluate("window.isTheSame = true")
    page.wait_for_timeout(2500)
    assert page.evaluate("window.isTheSame") is True


def test_it_prints(tmp_path: Path, visitor: Visitor) -> None:
    page = visitor.open(write(tmp_path, CLASS))

    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    marker = "getComputedStyle(document.querySelector('thead button'), '::after').content"
    assert page.evaluate(marker) == "none"
