"""Whether kept results are what the grader wrote: by their digest and signature, and by judging their histories again.

Whoever can write to the results' folder can write anything there, so everything is read within bounds.
"""

import hmac
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from chaos.history import History
from grading import results
from grading.bounded import OverBoundsError, bounded
from grading.errors import GradingError, UsageError
from grading.integrity import file_digest, make_digest, make_signature
from grading.report import Integrity, Report
from grading.results import HISTORIES, HISTORY_BYTES, REPORT, REPORT_BYTES, check_file
from grading.score import rescored
from grading.version import grader_version
from lab.assessment import Assessment
from lab.result import ExerciseResult

LOAD_SECONDS: Final = 60


class State(StrEnum):
    """What can be said of the results of one run."""

    GENUINE = "genuine"
    CHANGED = "changed"
    NOT_SIGNED = "not signed"
    NO_KEY = "no key"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of the run in `folder`, with the reasons; `report` is None where it cannot be read."""

    folder: Path
    state: State
    reasons: tuple[str, ...] = ()
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """A run as it is on disk; `integrity` and `content` are of `report.json`, `files` the histories' digests."""

    folder: Path
    report: Report
    content: Mapping[str, Any]
    integrity: Integrity | None
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Class:
    """All runs below a folder, to tell what was moved or copied between them."""

    runs: Sequence[_Run]

    def owner(self, digest: str) -> Path | None:
        """Return the folder that had a history of this digest."""
        return next(
            (run.folder for run in self.runs if run.integrity and digest in run.integrity.histories.values()),
            None,
        )

    def copies(self, run: _Run) -> list[Path]:
        """Return the folders of other runs with the same digest."""
        return [
            other.folder
            for other in self.runs
            if other is not run
            and other.integrity
            and run.integrity
            and other.integrity.digest == run.integrity.digest
        ]


def verify(
    folder: Path, assess: Callable[[str], Assessment], key: bytes | None, *, commit: str | None = None
) -> list[Finding]:
    """Examine every run in or below `folder`. `commit` is the one, or its beginning, that had to be graded.

    Raises UsageError if there is no run.
    """
    found: list[_Run | Finding] = [_read(each) for each in _folders(folder)]
    if not found:
        raise UsageError(f"{folder} holds no graded run; give a folder that --out has filled.")
    together = _Class([one for one in found if isinstance(one, _Run)])
    findings = [
        one if isinstance(one, Finding) else _examine(one, together, assess, key, commit) for one in found
    ]
    return [_misplaced(one) if one.folder != folder else one for one in findings]


def _folders(folder: Path) -> list[Path]:
    if (folder / REPORT).exists():
        return [folder]
    return sorted(Path(parent) for parent, _, names in os.walk(folder) if REPORT in names)


def _read(folder: Path) -> _Run | Finding:
    """Return a run, or a finding if its files cannot be read."""
    try:
        text = _bytes(folder / REPORT, REPORT_BYTES)
        content, report = bounded(lambda: _parse(text), seconds=LOAD_SECONDS)
        content.pop("integrity", None)
        return _Run(folder, report, content, report.integrity, _histories(folder / HISTORIES))
    except (OSError, ValueError, OverBoundsError) as error:
        return Finding(folder, State.CHANGED, (f"{REPORT} or {HISTORIES} cannot be read: {error}",))


def _parse(text: bytes) -> tuple[dict[str, Any], Report]:
    content: dict[str, Any] = json.loads(text, object_pairs_hook=_unambiguous)
    try:
        return content, Report.model_validate_json(text)
    except ValidationError:
        raise ValueError("it is not a report of this grader") from None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that is there twice would mean one thing here and another elsewhere."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is there twice")
    return found


def _histories(folder: Path) -> dict[str, str]:
    return {path.stem: _digest(path) for path in sorted(folder.iterdir())}


def _digest(path: Path) -> str:
    check_file(path, HISTORY_BYTES)
    return file_digest(path)


def _bytes(path: Path, most: int) -> bytes:
    check_file(path, most)
    return path.read_bytes()


def _examine(
    run: _Run,
    together: _Class,
    assess: Callable[[str], Assessment],
    key: bytes | None,
    commit: str | None,
) -> Finding:
    if run.integrity is None:
        return Finding(run.folder, State.NOT_SIGNED, ("it has no digest",), run.report)
    reasons = [
        *_changed_histories(run, run.integrity, together),
        *_changed_report(run, run.integrity, key),
        *(f"the same run is in {other}" for other in together.copies(run)),
        *_other_commit(run.report, commit),
    ]
    if not reasons:
        reasons += _judged_otherwise(run, assess)
    return Finding(run.folder, _state(run.integrity, key, reasons), tuple(reasons), run.report)


def _state(integrity: Integrity, key: bytes | None, reasons: Collection[str]) -> State:
    if reasons:
        return State.CHANGED
    if integrity.signature is None:
        return State.NOT_SIGNED
    return State.GENUINE if key else State.NO_KEY


def _changed_histories(run: _Run, integrity: Integrity, together: _Class) -> list[str]:
    reasons = [
        f"{HISTORIES}/{name}.jsonl is missing" for name in integrity.histories.keys() - run.files.keys()
    ]
    for name, digest in run.files.items():
        file = f"{HISTORIES}/{name}.jsonl"
        if name not in integrity.histories:
            reasons.append(f"{file} was added")
        elif digest != integrity.histories[name]:
            owner = together.owner(digest)
            reasons.append(f"{file} is one of {owner}" if owner else f"{file} was changed")
    return reasons


def _changed_report(run: _Run, integrity: Integrity, key: bytes | None) -> list[str]:
    digest = make_digest(run.content, integrity.histories)
    if not hmac.compare_digest(digest, integrity.digest):
        return [f"{REPORT} was changed: it has another digest"]
    if (
        key
        and integrity.signature
        and not hmac.compare_digest(make_signature(digest, key), integrity.signature)
    ):
        return [f"{REPORT} was changed, or signed with another key: its signature is wrong"]
    return []


def _other_commit(report: Report, commit: str | None) -> list[str]:
    if commit is None or (report.commit or "").startswith(commit.lower()):
        return []
    return [f"it grades {report.commit or 'no commit'}, not {commit}"]


def _judged_otherwise(run: _Run, assess: Callable[[str], Assessment]) -> list[str]:
    """Compare the report with what judging its histories gives now."""
    try:
        histories = bounded(lambda: _load(run.folder), seconds=LOAD_SECONDS)
        again = rescored(run.report, histories, assess(run.report.assessment))
    except (GradingError, OverBoundsError) as error:
        return [f"its histories cannot be judged: {error}"]
    if _verdicts(again.exercises) == _verdicts(run.report.exercises) and again.grade == run.report.grade:
        return []
    graded_by = run.report.grader
    who = (
        "this grader" if graded_by == grader_version() else f"this grader (not {graded_by}, which graded it)"
    )
    points = f"{run.report.points:g} points, and {who} gives its histories {again.points:g}"
    return [f"{REPORT} has {points} or other verdicts"]


def _load(folder: Path) -> dict[str, History]:
    _, histories = results.load(folder)
    return histories


def _verdicts(exercises: Sequence[ExerciseResult]) -> list[object]:
    return [
        (
            one.number,
            one.points,
            one.max_points,
            one.level,
            [(each.number, each.status) for each in one.criteria],
        )
        for one in exercises
    ]


def _misplaced(finding: Finding) -> Finding:
    """Return a finding as changed if its folder is named after another submission than its report."""
    report = finding.report
    if report is None or results.is_named_after(finding.folder, report.submission):
        return finding
    reason = f"it is the report of '{report.submission}', in a folder of another name"
    return replace(finding, state=State.CHANGED, reasons=(*finding.reasons, reason))
