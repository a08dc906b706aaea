from pathlib import Path

from grading.calibrate.outcome import Journal, Outcome
from grading.calibrate.smoke import Smoke

OUTCOME = Outcome(
    case="reference",
    fingerprint="abc",
    started="2026-01-01T00:00:00+00:00",
    seconds=35,
    seed=1,
    points=100,
    judged=True,
    verdicts={"1.1": "passed", "4.2": "failed"},
    reasons={"4.2": "no retry"},
    smoke=Smoke(up=True, answered=True, says_retry=None),
)


def test_a_journal_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "outcomes.jsonl"
    Journal(path).add(OUTCOME)
    Journal(path).add(OUTCOME.model_copy(update={"case": "other"}))

    journal = Journal(path)

    assert [one.case for one in journal.outcomes] == ["reference", "other"]
    assert journal.of("reference") == [OUTCOME]


def test_outcomes_are_found_by_what_they_are_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "outcomes.jsonl")
    journal.add(OUTCOME)

    assert journal.of("reference", fingerprint="abc") == [OUTCOME]
    assert journal.of("reference", fingerprint="def") == []
    assert journal.of("other") == []


def test_an_outcome_knows_its_exercises() -> None:
    assert OUTCOME.exercises == {1, 4}
