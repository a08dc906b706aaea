"""Canvas: the gradebook's CSV import. It matches students by ID, then SIS User ID, SIS Login ID, and name.

With an export of that gradebook, its rows are taken, so that every student is found. Without one, the roster's id stands
for SIS User ID and SIS Login ID. Students without a grade are left out: their grades in Canvas stay.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grading.classroom.gradebooks.matching import match
from grading.classroom.gradebooks.table import Row, as_number, guard, number, read, write
from grading.classroom.grades import Grade

COLUMNS: Final = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
IDS: Final = ("SIS User ID", "SIS Login ID", "ID")
POSSIBLE: Final = "Points Possible"
_NUMBER = re.compile(r" \(\d+\)$")
"""Canvas writes an assignment's own number after its title."""


def render(
    grades: Sequence[Grade], title: str, max_points: float, export: Path | None = None
) -> tuple[str, list[str]]:
    """Return the file to import for the assignment `title`, and what is to be told of it.

    Raises UsageError if the export is none of Canvas.
    """
    if export is None:
        rows: list[Row] = [_from_roster(one, title) for one in grades if one.points is not None]
        possible: Row = {"Student": f"    {POSSIBLE}", title: number(max_points)}
        return write([*COLUMNS, title], [possible, *rows]), []
    columns, found = read(export, COLUMNS[:2], "the gradebook", "Canvas")
    people = [row for row in found if row["Student"].strip() != POSSIBLE and any(map(row.get, COLUMNS))]
    matching = match(people, grades, IDS, "Student")
    remarks = matching.remarks("Canvas")
    column = next((name for name in columns if _NUMBER.sub("", name) == title), None)
    if column is None:
        remarks.append(f"Canvas's export has no assignment '{title}': the import makes one.")
        column = title
    kept = [name for name in COLUMNS if name in columns]
    above = [row for row in found if row["Student"].strip() == POSSIBLE]
    points = above[0].get(column, "") if above else ""
    there = as_number(points)
    if points and there != max_points:
        remarks.append(f"'{column}' has {points} points in Canvas, and {number(max_points)} here.")
    rows = [{"Student": f"    {POSSIBLE}", column: number(max_points if there is None else there)}]
    rows += [
        {**{name: guard(row.get(name, "")) for name in kept}, column: number(grade.points)}
        for row, grade in matching.pairs
        if grade.points is not None
    ]
    return write([*kept, column], rows), remarks


def _from_roster(grade: Grade, title: str) -> Row:
    student = grade.student
    return {
        "Student": guard(student.name),
        "SIS User ID": guard(student.id),
        "SIS Login ID": guard(student.id),
        title: number(grade.points),
    }
