"""Students with grades, made without grading."""

from datetime import UTC, datetime, timedelta

from grading.classroom.grades import Grade
from grading.classroom.record import Change, Difference, Record, State
from grading.classroom.roster import LateRule, Student
from grading.classroom.store import Entry
from grading.report import Report
from lab.result import ExerciseResult
from lab.result import Grade as ReportGrade
from tests.results import make_criterion

DUE = datetime(2026, 12, 1, 12, tzinfo=UTC)
MENTIONS = {"passed": 60.0, "distinction": 80.0}


def make_student(name: str, **fields: object) -> Student:
    values = {
        "id": name.lower(),
        "name": name,
        "repository": f"/forks/{name.lower()}",
        "deadline": DUE,
        **fields,
    }
    return Student.model_validate(values)


def make_report(points: float, *, seconds: float = 20.0, **fields: object) -> Report:
    """Return a report of two exercises of 50 points each; the second fails with fewer than 100 points."""
    exercises = tuple(
        ExerciseResult(
            number=number,
            title=f"Exercise {number}",
            core=False,
            bonus=False,
            points=own,
            max_points=50,
            level="complete" if own == 50 else "none",
            criteria=(make_criterion(f"{number}.1", passed=own == 50),),
        )
        for number, own in enumerate((min(points, 50.0), max(points - 50.0, 0.0)), start=1)
    )
    mention = max(
        (name for name, least in MENTIONS.items() if points >= least),
        key=MENTIONS.__getitem__,
        default="not passed",
    )
    return Report(
        submission="fork",
        assessment="toy",
        scheme="points",
        commit=None,
        dirty=False,
        started="2026-12-02T10:00:00+00:00",
        seconds=seconds,
        seed=1,
        fault_proxy="none",
        control_failure=None,
        exercises=exercises,
        grade=ReportGrade(total=points, mention=mention, reasons=()),
    ).model_copy(update=fields)


def make_record(student: str, report: Report, state: State = State.GRADED, **fields: object) -> Record:
    values = {
        "id": student,
        "run": 1,
        "request": "request",
        "state": state,
        "points": report.total,
        "max_points": report.max_points,
        "mention": report.grade.mention if report.grade else None,
        "started": report.started,
        "seconds": report.seconds,
        **fields,
    }
    return Record.model_validate(values)


def make_grade(
    name: str,
    points: float | None,
    *,
    late: timedelta | None = None,
    rule: LateRule | None = None,
    reason: str = "",
    before: float | None = None,
    **fields: object,
) -> Grade:
    """Return the grade of a student; with `points` None, of one whose submission could not be fetched."""
    student = make_student(name, **fields)
    report = make_report(points or 0.0)
    state = State.NOT_FETCHED if points is None else State.GRADED
    committed = DUE + late if late is not None else None
    record = make_record(student.id, report, state, reason=reason, committed=committed)
    changes = (Change(number="2.1", before="failed", after="passed"),)
    difference = None if before is None else Difference(run=1, points=before, changes=changes)
    return Grade(student, Entry(record, report, difference), rule, MENTIONS)
