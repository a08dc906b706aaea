"""What a check says of one criterion: passed, failed, or not judged; never anything in between."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from chaos.history import Event

Status = Literal["passed", "failed", "not judged"]
Blame = Literal["submission", "harness", "machine"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement. `evidence` are the events that it rests on, the most telling first.

    A verdict that is not `passed` says whose doing that is: the submission's, the grader's or the machine's.
    """

    status: Status
    expected: str = ""
    actual: str = ""
    evidence: tuple[Event, ...] = field(default=())
    blame: Blame | None = None

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def passed(actual: str, *evidence: Event | None) -> Verdict:
    """Say that the criterion holds, and what was seen."""
    return Verdict("passed", actual=actual, evidence=_present(evidence))


def failed(expected: str, actual: str, *evidence: Event | None) -> Verdict:
    """Say that the criterion does not hold: what was expected, what was seen, and where."""
    return Verdict("failed", expected, actual, _present(evidence), "submission")


def not_judged(reason: str, *evidence: Event | None, blame: Blame = "harness") -> Verdict:
    """Say that this history cannot tell, and why."""
    return Verdict("not judged", actual=reason, evidence=_present(evidence), blame=blame)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts on parts: the first failure, else the first part not judged, else all passed.

    What several parts have seen alike is said once.
    """
    parts = list(verdicts)
    for status in ("failed", "not judged"):
        for part in parts:
            if part.status == status:
                return part
    evidence = tuple(event for part in parts for event in part.evidence[:1])
    seen = dict.fromkeys(part.actual for part in parts if part.actual)
    return Verdict("passed", actual="; ".join(seen), evidence=evidence)


def in_short(verdict: Verdict, actual: str) -> Verdict:
    """Return a verdict as it is, or if it is good, with one sentence for all its parts."""
    return passed(actual, *verdict.evidence[:1]) if verdict.passed else verdict


def _present(events: tuple[Event | None, ...]) -> tuple[Event, ...]:
    return tuple(event for event in events if event is not None)
