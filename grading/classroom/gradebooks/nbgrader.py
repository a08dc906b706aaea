"""nbgrader: the table of its CSV exporter, for tools that read that. Times are in UTC, as nbgrader has them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from grading.classroom.gradebooks.names import split_name
from grading.classroom.gradebooks.table import Row, guard, number, write
from grading.classroom.grades import Grade

COLUMNS: Final = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def render(grades: Sequence[Grade], assignment: str) -> str:
    """Return the table of those who have a grade."""
    return write(COLUMNS, [_row(one, assignment) for one in grades if one.points is not None])


def _row(grade: Grade, assignment: str) -> Row:
    student, record = grade.student, grade.record
    first, last = split_name(student.name)
    return {
        "assignment": guard(assignment),
        "duedate": _time(student.deadline),
        "timestamp": _time(record.committed if record else None),
        "student_id": guard(student.id),
        "last_name": guard(last),
        "first_name": guard(first),
        "email": guard(student.email),
        "raw_score": number(grade.raw),
        "late_submission_penalty": number(grade.penalty),
        "score": number(grade.points),
        "max_score": number(grade.max_points),
    }


def _time(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if value else ""
