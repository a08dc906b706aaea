"""Moodle: the offline grading worksheet of an assignment, and the CSV import of the gradebook.

Feedback without a grade would erase the grade there, so students without a grade are left out of both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grading.classroom.gradebooks.feedback import feedback
from grading.classroom.gradebooks.matching import match
from grading.classroom.gradebooks.table import as_number, guard, number, read, write
from grading.classroom.grades import Grade

NEEDED: Final = ("Identifier", "Grade", "Last modified (grade)")
IDS: Final = ("ID number", "Username", "Email address")
MAXIMUM: Final = "Maximum Grade"
COMMENTS: Final = "Feedback comments"
AS_THEY_ARE: Final = frozenset({"Identifier", MAXIMUM, "Last modified (grade)"})


def render_import(grades: Sequence[Grade], title: str) -> str:
    """Return the file for the gradebook's import: map `Email address` to useremail or `ID number` to useridnumber."""
    return write(
        ["ID number", "Email address", title, "Feedback"],
        [
            {
                "ID number": guard(one.student.id),
                "Email address": guard(one.student.email),
                title: number(one.points),
                "Feedback": guard(feedback(one)),
            }
            for one in grades
            if one.points is not None
        ],
    )


def render_worksheet(grades: Sequence[Grade], max_points: float, worksheet: Path) -> tuple[str, list[str]]:
    """Return an assignment's worksheet with the grades filled in, and what is to be told of it.

    Raises UsageError if it is none of Moodle.
    """
    columns, found = read(worksheet, NEEDED, "the grading worksheet", "Moodle")
    matching = match(found, grades, IDS, "Full name")
    remarks = matching.remarks("Moodle")
    maxima = {value for row in found if (value := as_number(row.get(MAXIMUM, ""))) is not None}
    if other := sorted(maxima - {max_points}):
        remarks.append(f"The maximum grade is {number(other[0])} in Moodle, and {number(max_points)} here.")
    rows = []
    for row, grade in matching.pairs:
        if grade.points is not None:
            filled = {name: row[name] if name in AS_THEY_ARE else guard(row[name]) for name in columns}
            filled["Grade"] = number(grade.points)
            if COMMENTS in columns:
                filled[COMMENTS] = guard(feedback(grade))
            rows.append(filled)
    return write(columns, rows), remarks
