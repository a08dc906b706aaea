"""How often the grader was right: pure functions of what was expected and what came."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Outcome
from lab.verdict import Status

Sign = Literal["passed", "caught", "open", "missed", "false alarm", "undecided", "not run"]
_AS_EXPECTED: dict[Status, Sign] = {"passed": "passed", "failed": "caught", "not judged": "open"}


def expected(case: Case, number: str) -> Status:
    """Return the verdict that a case must get on a criterion."""
    if number in case.fails:
        return "failed"
    return "not judged" if number in case.open else "passed"


def sign(case: Case, outcome: Outcome, number: str) -> Sign:
    """Return how the verdict on a criterion compares with the expected one.

    Of a mutant that was made by machine it is not known which criteria it must fail: none of them surprises.
    """
    found = outcome.verdicts.get(number)
    if found is None:
        return "not run"
    if case.kind == "generated" or found == expected(case, number):
        return _AS_EXPECTED[found]
    if found == "failed":
        return "false alarm"
    return "missed" if expected(case, number) == "failed" and found == "passed" else "undecided"


def as_expected(case: Case, outcome: Outcome) -> bool:
    """Whether every verdict, and the score where one is written down, is the expected one.

    A mutant that was made by machine must lose something, unless it breaks no promise.
    """
    if case.kind == "generated":
        return outcome.stillborn or lost(outcome) != bool(case.equivalent)
    fits = all(sign(case, outcome, number) in {"passed", "caught", "open"} for number in outcome.verdicts)
    points = outcome.points
    return (
        fits
        and (case.points is None or points == case.points)
        and (case.least is None or points >= case.least)
    )


def lost(outcome: Outcome) -> bool:
    """Whether a case has failed a criterion, or is itself to blame for one that could not be judged."""
    statuses = set(outcome.verdicts.values())
    return "failed" in statuses or (outcome.judged and "not judged" in statuses)


def caught(case: Case, outcome: Outcome) -> bool:
    """Whether every criterion that a mutant must fail has failed, of those that were judged."""
    named = case.fails & outcome.verdicts.keys()
    return bool(named) and all(outcome.verdicts[number] == "failed" for number in named)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How a criterion did over runs: of those that it had to fail and to pass, how many it did."""

    number: str
    must_fail: int
    failed: int
    must_pass: int
    passed: int
    undecided: int

    @property
    def sensitivity(self) -> float | None:
        return self.failed / self.must_fail if self.must_fail else None

    @property
    def specificity(self) -> float | None:
        return self.passed / self.must_pass if self.must_pass else None


def accuracies(numbers: Iterable[str], runs: Sequence[tuple[Case, Outcome]]) -> list[Accuracy]:
    """Return the accuracy of each criterion over these runs."""
    return [_accuracy(number, [sign(case, outcome, number) for case, outcome in runs]) for number in numbers]


def _accuracy(number: str, signs: Sequence[Sign]) -> Accuracy:
    return Accuracy(
        number,
        must_fail=signs.count("caught") + signs.count("missed"),
        failed=signs.count("caught"),
        must_pass=signs.count("passed") + signs.count("false alarm"),
        passed=signs.count("passed"),
        undecided=signs.count("undecided"),
    )


@dataclass(frozen=True, slots=True)
class Flakes:
    """Verdicts that differed between runs of the same case and code: `changed` of `compared` pairs."""

    compared: int
    changed: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        return sum(self.changed.values()) / self.compared if self.compared else None


def flakes(outcomes: Iterable[Outcome]) -> Flakes:
    """Compare each run with the run before it of the same case and code, criterion by criterion."""
    last: dict[tuple[str, str], Outcome] = {}
    compared = 0
    changed: dict[str, int] = {}
    for outcome in outcomes:
        before = last.get((outcome.case, outcome.fingerprint))
        last[outcome.case, outcome.fingerprint] = outcome
        for number in before.verdicts.keys() & outcome.verdicts.keys() if before else ():
            assert before
            compared += 1
            if before.verdicts[number] != outcome.verdicts[number]:
                changed[number] = changed.get(number, 0) + 1
    return Flakes(compared, changed)
