from pathlib import Path

from grading.calibrate.corpus import Case
from grading.calibrate.document import document, newest
from grading.calibrate.matrix import lines, row, surprises
from grading.calibrate.outcome import Journal, Outcome
from grading.calibrate.smoke import Smoke
from grading.runtime import RuntimeName
from lab.verdict import Status
from tests.exam import EXAM

NUMBERS = [criterion.number for exercise in EXAM.exercises for criterion in exercise.criteria]
MUTANT = Case(
    "mutant",
    "mutant",
    "A story.",
    Path(__file__).parent,
    fails=frozenset({"4.1", "4.2"}),
    exercises=frozenset({4}),
)
OTHER = Case(
    "other", "mutant", "Another.", Path(__file__).parent, fails=frozenset({"1.1"}), exercises=frozenset({1})
)


def run(verdicts: dict[str, Status], *, says_retry: bool | None = True, fingerprint: str = "old") -> Outcome:
    return Outcome(
        case="mutant",
        fingerprint=fingerprint,
        started="2026-01-01T00:00:00+00:00",
        seconds=35,
        seed=1,
        points=0,
        judged=True,
        verdicts=verdicts,
        reasons={number: "seen" for number, status in verdicts.items() if status != "passed"},
        smoke=Smoke(up=True, answered=True, says_retry=says_retry),
    )


def whole(**changed: Status) -> dict[str, Status]:
    verdicts: dict[str, Status] = dict.fromkeys(NUMBERS, "passed")
    return {**verdicts, "4.1": "failed", **changed}


def test_a_row_has_a_sign_for_every_criterion() -> None:
    told = row(MUTANT, run(whole()), EXAM.exercises)

    signs = [".".join([""] * (len(exercise.criteria) + 1)) for exercise in EXAM.exercises]
    signs[3] = "xM" + signs[3][2:]
    assert f" {' '.join(signs)} " in told
    assert "WRONG" in told


def test_what_was_not_graded_is_blank() -> None:
    told = row(MUTANT, run({"4.1": "failed", "4.2": "failed"}), EXAM.exercises)

    assert "xx" in told
    assert "." not in told.removeprefix("mutant")
    assert "ok" in told


def test_surprises_are_told_with_what_was_seen() -> None:
    assert surprises(MUTANT, run({"4.1": "failed", "4.2": "passed", "4.3": "failed"})) == [
        "4.2 missed: passed",
        "4.3 false alarm: seen",
    ]
    assert "mutant: 4.2 missed: passed" in lines([(MUTANT, run(whole()))], EXAM.exercises)


def test_a_run_of_the_present_code_tells_more_than_a_whole_one_of_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    before, now = run(whole()), run({"4.1": "failed"}, fingerprint=MUTANT.fingerprint())
    journal.add(now)
    journal.add(before)

    assert newest(journal, MUTANT) == now
    assert newest(journal, OTHER) is None


def test_the_page_tells_what_is_wrong_and_what_was_not_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    journal.add(run(whole()))

    page = document([MUTANT, OTHER], journal, EXAM.exercises)

    assert "1 of 2 cases were run" in page
    assert "- `mutant`: 4.2 missed: passed" in page
    assert "| 4.2 | 0/1 (0%)" in page
    assert "| a smoke script | 1 of 1 | 100% |" in page
    assert "## Not run\n\n`other`." in page
    assert "No case was run twice" in page


def test_the_page_keeps_what_came_out_wrong_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    journal.add(run({"4.1": "failed", "4.2": "passed"}))
    journal.add(run({"4.1": "failed", "4.2": "failed"}, fingerprint=MUTANT.fingerprint()))

    page = document([MUTANT], journal, EXAM.exercises)

    assert "## What came out wrong\n\nNothing." in page
    assert "- `mutant`, 2026-01-01T00:00: 4.2 missed: passed" in page


def test_a_smoke_script_is_not_compared_where_it_cannot_tell(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    journal.add(run({"4.1": "failed", "4.2": "failed"}, says_retry=None))

    page = document([MUTANT], journal, EXAM.exercises)

    assert "smoke script |\n" in page  # the column of the table of mutants
    assert "## Beside a smoke script" not in page
    assert "not asked" in page


def test_rounds_are_told_by_their_conditions(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    right: dict[str, Status] = {**whole(), "4.2": "failed"}
    boxed = run(right).model_copy(update={"runtime": RuntimeName.SANDBOX})
    for outcome in (run(right), run(whole()), run(right).model_copy(update={"busy": 2}), boxed):
        journal.add(outcome)

    page = document([MUTANT], journal, EXAM.exercises)

    count = len(NUMBERS)
    assert f"| 2026-01-01 00:00 | processes | 0 | 1 | 1 | 1 | {count} | 0 | 0 | 35 |" in page
    assert f"| 2026-01-01 00:00 | processes | 0 | 1 | 1 | 0 | {count} | 1 | 0 | 35 |" in page
    assert f"| 2026-01-01 00:00 | processes | 2 | 1 | 1 | 1 | {count} | 0 | 0 | 35 |" in page
    assert f"| 2026-01-01 00:00 | boxes | 0 | 1 | 1 | 1 | {count} | 0 | 0 | 35 |" in page
