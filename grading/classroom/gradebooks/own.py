"""gradebook.csv: a line for every student of the roster, with all that is known of the grade."""

from collections.abc import Sequence

from grading.classroom.gradebooks.table import Row, guard, number, write
from grading.classroom.grades import Grade
from grading.errors import without_credentials
from lab.exercise import Exercise

COLUMNS = (
    "id", "name", "email", "state", "points", "max_points", "mention", "raw_points", "penalty", "late_seconds",
)  # fmt: skip
FACTS = ("repository", "commit", "committed", "graded", "seconds", "remarks")


def render(grades: Sequence[Grade], exercises: Sequence[Exercise]) -> str:
    """Return the table, with a column for the points of each exercise."""
    titles = [f"exercise {one.number}" for one in exercises]
    return write([*COLUMNS, *titles, *FACTS], map(_row, grades))


def _row(grade: Grade) -> Row:
    student, record = grade.student, grade.record
    row = {
        "id": guard(student.id),
        "name": guard(student.name),
        "email": guard(student.email),
        "state": str(grade.state or "not graded yet"),
        "points": number(grade.points),
        "max_points": number(grade.max_points),
        "mention": grade.mention or "",
        "raw_points": number(grade.raw),
        "penalty": number(grade.penalty) if grade.points is not None else "",
        "late_seconds": f"{grade.late.total_seconds():.0f}",
        "repository": guard(without_credentials(student.repository)),
        "remarks": guard(grade.remarks),
    }
    if record:
        row |= {
            "commit": record.commit or "",
            "committed": record.committed.isoformat() if record.committed else "",
            "graded": record.started,
            "seconds": number(record.seconds),
        }
    if grade.report and grade.points is not None:
        row |= {f"exercise {one.number}": number(one.points) for one in grade.report.exercises}
    return row
