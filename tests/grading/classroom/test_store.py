"""A results folder after whatever has happened to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grading import results
from grading.classroom.record import Record, State
from grading.classroom.store import PREVIOUS, STUDENTS, Store, write_record
from grading.errors import UsageError
from grading.integrity import make_signature
from tests.grading.classroom.samples import make_record, make_report

pytestmark = pytest.mark.medium

KEY = b"k" * 32


def write_draft(
    store: Store, points: float, *, run: int = 1, complete: bool = True, **fields: object
) -> Path:
    draft = store.new_draft("s1")
    draft.mkdir()
    report = make_report(points, submission="s1")
    results.write(draft, report, {})
    if complete:
        write_record(draft, make_record("s1", report, run=run, **fields))  # type: ignore[arg-type]
    return draft


def record(store: Store) -> Record:
    found = store.record("s1")
    assert found
    return found


def names(root: Path) -> set[str]:
    return {path.name for path in (root / STUDENTS).iterdir()}


def test_a_draft_that_is_not_complete_is_thrown_away(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        draft = write_draft(store, 80, complete=False)

        assert not store.take(draft)
        assert names(tmp_path) == set()


def test_what_a_killed_run_has_left_is_settled(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        write_draft(store, 80)
        write_draft(store, 70, complete=False)
    with Store.open(tmp_path) as store:
        assert names(tmp_path) == {"s1"}
        assert record(store).points == 80


@pytest.mark.parametrize("moved", [False, True], ids=["before", "after"])
def test_a_regrade_killed_while_it_takes_its_place(*, moved: bool, tmp_path: Path) -> None:
    """Before or after the last results were set aside: nothing of either is lost."""
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 70))
        write_draft(store, 80, run=2)
        if moved:
            store.folder("s1").rename(tmp_path / PREVIOUS / "s1")
    with Store.open(tmp_path) as store:
        assert record(store).points == 80
        assert results.load(tmp_path / PREVIOUS / "s1")[0].points == 70


def test_a_regrade_tells_what_it_changed(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 70))
        store.take(write_draft(store, 100, run=2))
        store.take(write_draft(store, 40, run=3))
        entry = store.entry("s1")

    assert entry
    assert entry.difference
    assert (entry.difference.run, entry.difference.points) == (2, 100)
    changes = [(one.number, one.before, one.after) for one in entry.difference.changes]
    assert changes == [("1.1", "passed", "failed"), ("2.1", "passed", "failed")]
    assert results.load(tmp_path / PREVIOUS / "s1")[0].points == 100


def test_a_student_graded_twice_in_a_run_counts_once(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 70))
        store.take(write_draft(store, 80))

        assert record(store).points == 70
        assert names(tmp_path) == {"s1"}


def test_a_run_that_goes_on_with_another_request_counts(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 70))
        store.take(write_draft(store, 80, request="with a deadline"))
        store.take(write_draft(store, 90, request="with a deadline"))

        assert (record(store).points, record(store).request) == (80, "with a deadline")
        assert names(tmp_path) == {"s1"}


def test_a_draft_of_an_earlier_run_takes_the_place_of_no_later_one(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 80, run=2))
        store.take(write_draft(store, 70, request="another"))

        assert record(store).points == 80


def test_a_failed_regrade_costs_no_grade(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.take(write_draft(store, 70))
        store.take(write_draft(store, 0, run=2, state=State.NOT_FETCHED, reason="it is gone"))
        kept = record(store)
        store.take(write_draft(store, 0, run=3, state=State.NOT_FETCHED, request="another repository"))

        assert (kept.points, kept.run) == (70, 2)
        assert kept.remark == "Run 2 could not grade it again: it is gone"
        assert record(store).state is State.NOT_FETCHED


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        first = store.begin("all")
        assert store.begin("all") == first
        assert store.begin("some").number == 2
        store.finish(store.begin("some"))
        assert store.begin("some").number == 3


def test_two_commands_do_not_share_a_folder(tmp_path: Path) -> None:
    words = (
        "from pathlib import Path; from grading.classroom.store import Store;"
        f"Store.open(Path({os.fspath(tmp_path)!r}))"
    )
    with Store.open(tmp_path):
        ended = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)

    assert f"Another command is grading into {tmp_path}" in ended.stderr


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="choose another --out"):
        Store.open(tmp_path / "file")


def test_reports_are_signed(tmp_path: Path) -> None:
    with Store.open(tmp_path, KEY) as store:
        store.take(write_draft(store, 70))

    report, _ = results.load(tmp_path / STUDENTS / "s1")
    assert report.integrity
    assert report.integrity.signature == make_signature(report.integrity.digest, KEY)
