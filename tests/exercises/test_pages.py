"""What pages say of criteria and points is what exercise.toml and assessment.toml say."""

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from exercises.catalogue import FOLDER, NAMES, assessment
from exercises.pages import BEGIN, END, PageError, criteria, differing, main
from lab.assessment import Assessment
from tests.exam import EXAM

ROOT = FOLDER.parent
OVERVIEWS = {
    "exam": ROOT / "EXAM.md",
    **{name: FOLDER / name / "README.md" for name in NAMES if name != "exam"},
}
CORRECTION = (ROOT / "CORRECTION.md").read_text(encoding="utf-8")


_FILE = re.compile(r"`([\w./-]+\.\w+)`")


def page_of(asked: Assessment, number: int) -> str:
    [rubric] = [
        path
        for path in asked.folder.glob("*/exercise.toml")
        if tomllib.loads(path.read_text(encoding="utf-8"))["number"] == number
    ]
    return rubric.with_name("README.md").read_text(encoding="utf-8")


def head(page: str) -> dict[str, str]:
    """Return the rows of the table that follows a page's title."""
    found = re.match(r"# [^\n]+\n\n\| \| \|\n\|---\|---\|\n((?:\|.*\n)+)", page)
    assert found, page[:100]
    return {row.split("|")[1].strip(): row.split("|")[2].strip() for row in found[1].splitlines()}


@pytest.fixture
def copy(tmp_path: Path) -> Assessment:
    """An assessment whose pages may be changed."""
    original = assessment("week1")
    for rubric in original.folder.glob("*/exercise.toml"):
        folder = tmp_path / rubric.parent.name
        folder.mkdir()
        shutil.copy(rubric, folder)
        shutil.copy(rubric.with_name("README.md"), folder)
    return replace(original, folder=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_have_the_criteria_of_their_exercises(name: str) -> None:
    assert [str(path.relative_to(ROOT)) for path, _ in differing(assessment(name))] == []


def test_a_changed_criterion_changes_its_page_and_nothing_else(copy: Assessment) -> None:
    first, *others = copy.exercises
    criterion = replace(first.criteria[0], title="another title", measured="a | b")
    changed = replace(copy, exercises=(replace(first, criteria=(criterion, *first.criteria[1:])), *others))

    [(path, text)] = differing(changed)

    before = path.read_text(encoding="utf-8")
    assert path.parent.name == "ex1_cost_estimate"
    assert r"| 1.1 | another title | 6.5 | a \| b |" in text
    assert text.partition(BEGIN)[0] == before.partition(BEGIN)[0]
    assert text.partition(END)[2] == before.partition(END)[2]
    path.write_text(text, encoding="utf-8")
    assert list(differing(changed)) == []


def test_a_page_without_a_place_for_its_table_is_named(copy: Assessment) -> None:
    page = copy.folder / "ex3_rate_limit" / "README.md"
    page.write_text(page.read_text(encoding="utf-8").replace(END, ""), encoding="utf-8")

    with pytest.raises(PageError, match=r"ex3_rate_limit/README\.md has no place for its criteria; add"):
        list(differing(copy))


def test_levels_mark_what_is_essential_and_points_tell_what_each_criterion_brings() -> None:
    exam = criteria(EXAM.exercises[1], EXAM.scoring)
    bonus = criteria(assessment("week1").exercises[4], assessment("week1").scoring)

    assert exam.startswith("**15 points, core.** You get all of them if every criterion passes, 7.5 if every")
    assert "| | criterion | what is measured |\n|---|---|---|\n| 2.1 `*` | a request" in exam
    assert "| 2.4 | the exit" in exam
    assert bonus.startswith("**5 points on top of the total.**")
    assert "| | criterion | points | what is measured |" in bonus


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_with_points_files_and_the_command(name: str) -> None:
    asked = assessment(name)
    starter = asked.folder / "starter"
    for exercise in asked.exercises:
        rows = head(page_of(asked, exercise.number))
        files, created = (_FILE.findall(rows.get(row, "")) for row in ("files to change", "you create"))
        assert re.match(rf"{exercise.points:g}\b", rows["points"])
        assert ("core" in rows["points"]) is exercise.core
        assert f"`uv run grading score . --exercise {exercise.number}`" in rows["test yourself"]
        assert {"files to change", "you create"} & set(rows)
        assert [file for file in files if not (starter / file).exists()] == []
        assert [file for file in created if (starter / file).is_file()] == []


def test_the_command_finds_nothing_to_write() -> None:
    main(["--check"])


@pytest.mark.parametrize("name", NAMES)
def test_an_overview_lists_each_exercise_with_its_title_and_points(name: str) -> None:
    page = OVERVIEWS[name].read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[(\d+)\]\(([^)]+)\) \| \*\*([^*]+)\.\*\*.* \| ([\d.]+) \|(?: (core)? ?\|)?$",
        page,
        re.MULTILINE,
    )
    listed = {int(number): (title, float(points), core) for number, _, title, points, core in rows}

    expected = {
        one.number: (
            f"Bonus: {one.title.lower()}" if one.bonus and one.title != "Bonus" else one.title,
            one.points,
            "core" if one.core else "",
        )
        for one in assessment(name).exercises
    }
    assert listed == expected
    for number, link, *_ in rows:
        [rubric] = (OVERVIEWS[name].parent / link).parent.glob("exercise.toml")
        assert f"number = {number}\n" in rubric.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_overview_tells_the_points_of_each_mention(name: str) -> None:
    page = OVERVIEWS[name].read_text(encoding="utf-8")

    for mention, points in assessment(name).scoring.mentions.items():
        word = "pass" if mention == "passed" else mention
        assert re.search(rf"\b{points:g}\b[^.\n]{{0,30}}\b{word}", page), f"{points:g} {mention}"


def test_the_exam_page_tells_the_bonus_and_the_core_rule() -> None:
    page = OVERVIEWS["exam"].read_text(encoding="utf-8")
    assert EXAM.bonus_rule

    core = [str(one.number) for one in EXAM.exercises if one.core]
    assert EXAM.scoring.core_complete == 2
    assert f"two of the core exercises {', '.join(core[:-1])} and {core[-1]} complete" in page
    assert f"`{EXAM.bonus_rule.file}` brings at most {EXAM.bonus_rule.points:g} points more" in page


def test_the_correction_guide_has_a_section_for_each_exercise_of_the_exam() -> None:
    headings = re.findall(r"^## (\d.*)$", CORRECTION, re.MULTILINE)

    assert headings == [
        f"{one.number} {one.title} ({one.points:g}{', core' if one.core else ''})" for one in EXAM.exercises
    ]


def test_the_correction_guide_names_criteria_that_exist() -> None:
    sections = {
        "exam": CORRECTION.partition("\n## Assignment 1\n")[0],
        "assignment1": CORRECTION.partition("\n## Assignment 1\n")[2].partition("\n## Week 1\n")[0],
        "week1": CORRECTION.partition("\n## Week 1\n")[2].partition("\n## Project 6.1\n")[0],
        "project61": CORRECTION.partition("\n## Project 6.1\n")[2],
    }

    for name, section in sections.items():
        caught = [
            row
            for row in re.findall(r"^\|.*\|([^|]+)\|$", section, re.MULTILINE)
            if re.search(r"\d\.\d", row)
        ]
        named = {number for row in caught for number in re.findall(r"\b\d\.\d\b", row)}
        known = {one.number for exercise in assessment(name).exercises for one in exercise.criteria}
        assert len(named) >= 10
        assert named - known == set(), name


@pytest.mark.parametrize(
    ("name", "page"), [("exam", "README.md"), ("assignment1", "CORRECTION.md"), ("week1", "CORRECTION.md")]
)
def test_the_totals_of_the_solutions_are_those_that_the_exercises_come_to(name: str, page: str) -> None:
    asked = assessment(name)
    total = sum(one.points for one in asked.exercises if not one.bonus)
    extra = sum(one.points for one in asked.exercises if one.bonus)
    extra += asked.bonus_rule.points if asked.bonus_rule else 0
    text = (ROOT / page).read_text(encoding="utf-8")

    said = (
        f"{total + extra:g}/{total:g}"
        if page == "README.md"
        else f"`exercises/{name}/solution` ({total + extra:g} of {total:g} points)"
    )
    assert said in text


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_of_a_hand_out_links_each_exercise(name: str) -> None:
    folder = assessment(name).folder
    readme = (folder / "handout" / "README.md").read_text(encoding="utf-8")
    pages = {
        tomllib.loads(rubric.read_text(encoding="utf-8"))["title"]: rubric.with_name("README.md")
        for rubric in folder.glob("*/exercise.toml")
    }

    assert {
        f"{title}: {page.relative_to(ROOT)}"
        for title, page in pages.items()
        if f"[{title}]({page.relative_to(ROOT)})" not in readme
    } == set()


def test_the_readme_shows_a_report_as_it_is_printed() -> None:
    report = (ROOT / "tests/grading/golden/starter.txt").read_text(encoding="utf-8")
    [shown] = re.findall(
        r"^(✗.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )

    lines = shown.splitlines()
    assert len(lines) > 3
    assert [line for line in lines if line.removesuffix(" ...") not in report] == []
