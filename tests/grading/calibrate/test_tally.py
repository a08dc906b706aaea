from pathlib import Path

import pytest

from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Outcome
from grading.calibrate.smoke import Smoke
from grading.calibrate.tally import Sign, accuracies, as_expected, caught, flakes, sign
from lab.verdict import Status

MUTANT = Case("mutant", "mutant", "", Path(), fails=frozenset({"1.1", "2.1"}), open=frozenset({"1.3"}))
EVERY = [f"{number}.1" for number in range(1, 7)]


def outcome(
    verdicts: dict[str, Status], *, points: float = 0, case: str = "mutant", code: str = "abc"
) -> Outcome:
    return Outcome(
        case=case,
        fingerprint=code,
        started="2026-01-01T00:00:00+00:00",
        seconds=1,
        seed=1,
        points=points,
        judged=True,
        verdicts=verdicts,
        reasons={},
        smoke=Smoke(up=True, answered=True, says_retry=True),
    )


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [
        ("1.1", "failed", "caught"),
        ("1.1", "passed", "missed"),
        ("1.1", "not judged", "undecided"),
        ("1.2", "passed", "passed"),
        ("1.2", "failed", "false alarm"),
        ("1.2", "not judged", "undecided"),
        ("1.3", "not judged", "open"),
        ("1.3", "failed", "false alarm"),
        ("1.3", "passed", "undecided"),
    ],
)
def test_a_verdict_is_compared_with_the_expected_one(number: str, status: Status, told: Sign) -> None:
    run = outcome({number: status})

    assert sign(MUTANT, run, number) == told
    assert as_expected(MUTANT, run) == (told in {"caught", "passed", "open"})


def test_what_was_not_graded_is_no_surprise() -> None:
    run = outcome({"1.1": "failed"})

    assert sign(MUTANT, run, "2.1") == "not run"
    assert as_expected(MUTANT, run)
    assert caught(MUTANT, run)


def test_a_mutant_is_caught_when_all_that_it_names_has_failed() -> None:
    assert caught(MUTANT, outcome({"1.1": "failed", "2.1": "failed", "1.2": "failed"}))
    assert not caught(MUTANT, outcome({"1.1": "failed", "2.1": "passed"}))
    assert not caught(MUTANT, outcome({"1.2": "failed"}))


def test_points_are_compared_where_they_are_written_down() -> None:
    solution = Case("solution", "solution", "", Path(), points=100)
    verdicts: dict[str, Status] = dict.fromkeys(EVERY, "passed")

    assert as_expected(solution, outcome(verdicts, points=100))
    assert not as_expected(solution, outcome(verdicts, points=85))


@pytest.mark.parametrize(
    ("verdicts", "judged", "found"),
    [
        ({"1.1": "passed", "1.2": "failed"}, True, True),
        ({"1.1": "passed", "1.2": "not judged"}, True, True),
        ({"1.1": "passed", "1.2": "not judged"}, False, False),
        ({"1.1": "passed"}, True, False),
        ({}, False, True),
    ],
    ids=["failed", "to blame itself", "the machine's fault", "nothing lost", "does not start"],
)
def test_a_mutant_made_by_machine_must_lose_something(
    verdicts: dict[str, Status], *, judged: bool, found: bool
) -> None:
    run = outcome(verdicts).model_copy(update={"judged": judged})

    assert as_expected(Case("made", "generated", "", Path()), run) == found


def test_one_that_breaks_no_promise_must_not() -> None:
    case = Case("made", "generated", "", Path(), equivalent="Nobody can tell.")

    assert as_expected(case, outcome({"1.1": "passed"}))
    assert not as_expected(case, outcome({"1.1": "failed"}))


def test_no_verdict_on_a_mutant_made_by_machine_is_a_surprise() -> None:
    case = Case("made", "generated", "", Path())

    assert sign(case, outcome({"1.1": "failed"}), "1.1") == "caught"
    assert sign(case, outcome({"1.1": "passed"}), "1.1") == "passed"
    assert sign(case, outcome({"1.1": "not judged"}), "1.1") == "open"


def test_accuracy_counts_what_had_to_fail_and_what_had_to_pass() -> None:
    healthy = Case("reference", "reference", "", Path())
    runs = [
        (MUTANT, outcome({"1.1": "failed"})),
        (MUTANT, outcome({"1.1": "passed"})),
        (MUTANT, outcome({"1.1": "not judged"})),
        (healthy, outcome({"1.1": "passed"})),
        (healthy, outcome({"1.1": "failed"})),
        (healthy, outcome({"2.1": "passed"})),
    ]

    [found] = accuracies(["1.1"], runs)

    assert (found.failed, found.must_fail, found.sensitivity) == (1, 2, 0.5)
    assert (found.passed, found.must_pass, found.specificity) == (1, 2, 0.5)
    assert found.undecided == 1


def test_accuracy_of_what_was_never_asked_is_unknown() -> None:
    [found] = accuracies(["1.1"], [])

    assert (found.sensitivity, found.specificity) == (None, None)


def test_flakes_are_verdicts_that_change_with_the_same_code() -> None:
    found = flakes(
        [
            outcome({"1.1": "failed", "1.2": "passed"}),
            outcome({"1.1": "passed", "1.2": "passed"}),
            outcome({"1.1": "passed", "1.2": "passed"}),
            outcome({"1.1": "failed"}, code="other"),
            outcome({"1.1": "failed"}, case="another"),
        ]
    )

    assert (found.compared, dict(found.changed), found.rate) == (4, {"1.1": 1}, 0.25)


def test_without_repeated_runs_there_is_no_rate() -> None:
    assert flakes([outcome({"1.1": "passed"})]).rate is None
