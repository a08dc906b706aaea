from dataclasses import replace
from pathlib import Path

from grading.calibrate.corpus import Case
from grading.calibrate.document import document
from grading.calibrate.generated.section import line, section
from grading.calibrate.outcome import Journal, not_graded
from tests.exam import EXAM
from tests.grading.calibrate.test_document import run

MADE = Case("retry.never-x", "generated", "-a\n+b", Path(__file__).parent, exercises=frozenset({3, 4}))
EQUIVALENT = replace(MADE, name="equivalent", equivalent="Nobody can tell.")
DEAD = replace(MADE, name="dead")
CAUGHT = run({"3.1": "passed", "3.4": "failed", "4.1": "not judged"})
MISSED = run({"3.1": "passed", "4.1": "passed"})


def test_a_line_tells_what_came_of_a_mutant() -> None:
    assert line(MADE, CAUGHT) == "caught           35 s  retry.never-x  3.4 4.1?"
    assert line(MADE, MISSED) == "missed           35 s  retry.never-x"
    assert line(EQUIVALENT, MISSED) == "equivalent       35 s  equivalent"
    assert line(EQUIVALENT, CAUGHT).startswith("not equivalent")
    assert line(DEAD, not_graded("dead", "abc", "exit code 2")).startswith("does not start")


def test_the_section_counts_and_shows_what_was_missed() -> None:
    caught = replace(MADE, name="caught")
    cases = [MADE, caught, EQUIVALENT, DEAD, replace(MADE, name="left")]
    told = section(
        cases, [(MADE, MISSED), (caught, CAUGHT), (DEAD, not_graded("dead", "abc", "exit code 2"))]
    )

    assert "| made | 5 |" in told
    assert "| break no promise, not run | 1 |" in told
    assert "| do not start, not graded | 1 |" in told
    assert "| graded | 2 |" in told
    assert "| caught | 1 (50%) |" in told
    assert "| not run | 1 |" in told
    assert "| 3 | 4 | 1 | 1 |" in told
    assert "- `retry.never-x`, missed\n\n  ```diff\n  -a\n  +b\n  ```" in told
    assert "| 3.4 | 1 | 1 |" in told


def test_without_such_mutants_there_is_no_section() -> None:
    assert section([], []) == ""


def test_the_page_reports_all_kinds_apart(tmp_path: Path) -> None:
    variation = Case("other", "variation", "In another dress.", Path(__file__).parent)
    journal = Journal(tmp_path / "j")
    journal.add(run({"3.1": "failed"}).model_copy(update={"case": "other"}))

    page = document([variation], journal, EXAM.exercises, ([MADE], [(MADE, MISSED)]))

    assert "| mutants made by machine | 1 | 1 | 0 |" in page
    assert "| variations | 1 | 1 | 0 |" in page
    assert "| `other` | In another dress. | no |" in page
    assert "- `other`: 3.1 false alarm: seen" in page
    assert "## Mutants made by machine" in page
    assert "1 of 1 cases were run" in page
