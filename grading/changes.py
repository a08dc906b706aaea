"""What a run has found other than the earlier runs of the same submission in the same results folder."""

from collections.abc import Iterable
from pathlib import Path

from grading import results
from grading.report import Changes, Report
from lab.verdict import Status


def with_changes(report: Report, folder: Path) -> Report:
    """Return a report that says what has changed since the runs in `folder`; as it is if there is none.

    A criterion is compared with the last run that it was graded in.
    """
    key = (report.source, report.submission, report.assessment)
    earlier = [
        one
        for one in results.load_reports(folder, report.submission)
        if (one.source, one.submission, one.assessment) == key
    ]
    if not earlier:
        return report
    before: dict[str, Status] = {}
    for one in earlier:
        before |= _statuses(one)
    changed = {
        number: status
        for number, status in _statuses(report).items()
        if number in before and before[number] != status
    }
    changes = Changes(
        since=earlier[-1].started,
        passed=_with("passed", changed.items()),
        failed=_with("failed", changed.items()),
        open=_with("not judged", changed.items()),
    )
    return report.model_copy(update={"changes": changes})


def _statuses(report: Report) -> dict[str, Status]:
    return {one.number: one.status for exercise in report.exercises for one in exercise.criteria}


def _with(status: Status, changed: Iterable[tuple[str, Status]]) -> tuple[str, ...]:
    return tuple(number for number, now in changed if now == status)
