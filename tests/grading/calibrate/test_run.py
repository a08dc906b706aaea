from pathlib import Path

from exercises.catalogue import assessment
from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Conditions, Journal, not_graded
from grading.calibrate.run import chosen_exercises, tasks
from grading.runtime import RuntimeName
from tests.grading.calibrate.test_document import run, whole

ONE = Case(
    "mutant", "mutant", "A story.", Path(__file__).parent, fails=frozenset({"4.1"}), exercises=frozenset({4})
)
TWO = Case(
    "two", "mutant", "Another.", Path(__file__).parent, fails=frozenset({"1.1"}), exercises=frozenset({1})
)


def missing(
    journal: Journal, *, repeat: int = 1, quick: bool = False, conditions: Conditions | None = None
) -> list[str]:
    found = tasks(
        [ONE, TWO],
        journal,
        Path("surprises"),
        repeat=repeat,
        quick=quick,
        conditions=conditions or Conditions(),
        assessment=assessment,
    )
    return [task.case.name for task in found]


def test_runs_go_round_by_round(tmp_path: Path) -> None:
    assert missing(Journal(tmp_path / "j"), repeat=2) == ["mutant", "two", "mutant", "two"]


def test_what_was_run_with_the_present_code_is_not_run_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add(run(whole(), fingerprint="old"))
    assert missing(journal) == ["mutant", "two"]

    journal.add(run(whole(), fingerprint=ONE.fingerprint()))
    assert missing(journal) == ["two"]
    assert missing(journal, repeat=2) == ["two", "mutant", "two"]
    assert missing(journal, conditions=Conditions(busy=2)) == ["mutant", "two"]
    assert missing(journal, conditions=Conditions(runtime=RuntimeName.DOCKER)) == ["mutant", "two"]


def test_a_quick_look_is_at_the_exercises_that_must_fail(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add(run({"4.1": "failed"}, fingerprint=ONE.fingerprint()))

    assert missing(journal, quick=True) == ["two"]
    assert missing(journal) == ["mutant", "two"]


def test_a_mutant_made_by_machine_is_graded_in_its_exercises(tmp_path: Path) -> None:
    case = Case("made", "generated", "", Path(__file__).parent, exercises=frozenset({1, 4}))
    other = Case("other", "variation", "", Path(__file__).parent, exercises=frozenset({4}))

    assert chosen_exercises(case, assessment(), quick=False) == {1, 4}
    assert chosen_exercises(other, assessment(), quick=True) == {4}
    assert len(chosen_exercises(other, assessment(), quick=False)) == 6


def test_what_does_not_start_is_not_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add(not_graded("mutant", ONE.fingerprint(), "exit code 2"))

    assert missing(journal) == ["two"]
