"""Writes all gradebooks of a class into its results folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grading.classroom.class_run import ClassRun
from grading.classroom.gradebooks import canvas, moodle, nbgrader, own
from grading.classroom.grades import Grade
from grading.classroom.store import write_whole

OWN: Final = "gradebook.csv"
CANVAS: Final = "canvas.csv"
MOODLE_IMPORT: Final = "moodle-import.csv"
MOODLE_WORKSHEET: Final = "moodle-worksheet.csv"
NBGRADER: Final = "nbgrader.csv"


@dataclass(frozen=True, slots=True)
class Exports:
    """What course tools have exported: Canvas its gradebook, Moodle the grading worksheet of the assignment.

    `title` is the name that the assignment has there.
    """

    title: str
    canvas: Path | None = None
    moodle: Path | None = None

    def check(self) -> None:
        """Raise UsageError if an export cannot be read: better now than when everybody has been graded."""
        canvas.render([], self.title, 0, self.canvas)
        if self.moodle:
            moodle.render_worksheet([], 0, self.moodle)


def write_gradebooks(run: ClassRun, grades: Sequence[Grade], exports: Exports) -> list[str]:
    """Write the gradebooks, and return what is to be told of them.

    Raises UsageError if an export cannot be read, and MachineError if the disk does not take a gradebook.
    """
    exercises = run.exercises
    max_points = sum(one.points for one in exercises if not one.bonus)
    root, title = run.store.root, exports.title
    canvas_text, remarks = canvas.render(grades, title, max_points, exports.canvas)
    write_whole(root / OWN, own.render(grades, exercises))
    write_whole(root / CANVAS, canvas_text)
    write_whole(root / MOODLE_IMPORT, moodle.render_import(grades, title))
    write_whole(root / NBGRADER, nbgrader.render(grades, run.assessment.name))
    if exports.moodle:
        worksheet, more = moodle.render_worksheet(grades, max_points, exports.moodle)
        write_whole(root / MOODLE_WORKSHEET, worksheet)
        remarks += more
    else:
        (root / MOODLE_WORKSHEET).unlink(missing_ok=True)  # it has the grades of an earlier command
    return remarks
