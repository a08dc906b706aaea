"""What is written of students who could not be graded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from grading import results
from grading.classroom.choice import Choice
from grading.classroom.handed_in import HandedIn
from grading.classroom.record import Record, State, read_record
from grading.classroom.student import Task, write_failure
from grading.errors import GradingError, MachineError, NothingToStartError, SubmissionError, UsageError
from grading.runtimes import choose_runtime
from tests.grading.classroom.samples import make_student
from tests.toy_class import toy

FOUND = HandedIn("/forks/ada@abc", "abc", datetime(2026, 12, 1, tzinfo=UTC))


def written(folder: Path, error: GradingError) -> Record:
    draft = folder / "draft"
    draft.mkdir()
    task = Task(
        student=make_student("Ada"),
        until=None,
        choice=Choice(toy, "toy"),
        runtime=choose_runtime(None),
        run=1,
        request="request",
        draft=draft,
    )
    write_failure(task, error, FOUND)
    record = read_record(draft)
    assert record
    return record


def test_what_is_no_service_is_graded(tmp_path: Path) -> None:
    record = written(tmp_path, NothingToStartError("There is nothing to start."))

    assert (record.state, record.points, record.mention) == (State.GRADED, 0, "not passed")
    assert (record.reason, record.commit) == ("There is nothing to start.", "abc")
    report, _ = results.load(tmp_path / "draft")
    assert {one.status for part in report.exercises for one in part.criteria} == {"failed"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (UsageError("There is no folder."), State.NOT_FETCHED),
        (SubmissionError("git cannot read the repository."), State.NOT_FETCHED),
        (MachineError("The disk is full."), State.NOT_JUDGED),
    ],
)
def test_what_could_not_be_had_or_judged_has_no_grade(
    error: GradingError, state: State, tmp_path: Path
) -> None:
    assert written(tmp_path, error).state is state
