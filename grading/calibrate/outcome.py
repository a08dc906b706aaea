"""What came of grading one case once, and the journal of all such runs: JSON Lines, one for each, never rewritten."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from grading.calibrate.smoke import Smoke
from grading.report import Report
from grading.runtime import RuntimeName
from lab.verdict import Status


@dataclass(frozen=True, slots=True)
class Conditions:
    """How cases are run: beside how many busy loops, and in what."""

    busy: int = 0
    runtime: RuntimeName = RuntimeName.PROCESS


class Outcome(BaseModel):
    """One run. `verdicts` are by criterion number; `reasons` tell what was seen where one is not `passed`.

    `fingerprint` is the case's at the time. `judged` is false where the grader or the machine failed. `busy` is the
    number of busy loops that the run had to share the machine with, `runtime` what the services ran in, `repeated` the
    experiments that were run a second time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    fingerprint: str
    started: str
    seconds: float
    seed: int
    points: float
    judged: bool
    verdicts: dict[str, Status]
    reasons: dict[str, str]
    smoke: Smoke
    busy: int = 0
    runtime: RuntimeName = RuntimeName.PROCESS
    repeated: tuple[str, ...] = ()

    @property
    def stillborn(self) -> bool:
        """Whether the case was not graded: its service does not start, so that it would test no verdict."""
        return not self.verdicts

    @property
    def exercises(self) -> frozenset[int]:
        """The exercises that the case was graded in."""
        return frozenset(int(number.partition(".")[0]) for number in self.verdicts)


def outcome_of(case: str, fingerprint: str, report: Report, smoke: Smoke, conditions: Conditions) -> Outcome:
    """Return what a report says of a case."""
    results = [criterion for exercise in report.exercises for criterion in exercise.criteria]
    return Outcome(
        case=case,
        fingerprint=fingerprint,
        started=report.started,
        seconds=report.seconds,
        seed=report.seed,
        points=report.points,
        judged=report.judged,
        verdicts={one.number: one.status for one in results},
        reasons={one.number: one.actual for one in results if one.status != "passed"},
        smoke=smoke,
        busy=conditions.busy,
        runtime=conditions.runtime,
        repeated=report.repeated,
    )


def not_graded(case: str, fingerprint: str, reason: str) -> Outcome:
    """Return the outcome of a case whose service does not start."""
    return Outcome(
        case=case,
        fingerprint=fingerprint,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0,
        seed=0,
        points=0,
        judged=False,
        verdicts={},
        reasons={"start": reason},
        smoke=Smoke(up=False, answered=False, says_retry=None),
    )


class Journal:
    """The outcomes in a file, which survive an interrupted calibration."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.outcomes = list(_read(path))

    def add(self, outcome: Outcome) -> None:
        """Append an outcome, on disk before this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")
        self.outcomes.append(outcome)

    def of(self, case: str, **fields: Any) -> list[Outcome]:
        """Return the outcomes of a case whose fields have these values."""
        return [
            one
            for one in self.outcomes
            if one.case == case and all(getattr(one, name) == value for name, value in fields.items())
        ]


def _read(path: Path) -> Iterable[Outcome]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Outcome.model_validate_json(line)
