"""Keeps the class's page up to date while it is graded."""

from collections.abc import Mapping

from grading.classroom.class_run import ClassRun
from grading.classroom.grades import Grade
from grading.classroom.page import INDEX, ClassPage, render_page
from grading.classroom.similarity import FINGERPRINTS, Pair, fingerprints, load, similar_pairs
from grading.classroom.store import write_whole

STARTER = "starter"


class LivePage:
    """The page `index.html` in a results folder; `grades` is read each time that it is written."""

    def __init__(self, run: ClassRun, grades: Mapping[str, Grade]) -> None:
        self._run = run
        self._grades = grades
        self._running: set[str] = set()

    def started(self, student: str) -> None:
        """Show a student as being graded."""
        if student not in self._running:
            self._running.add(student)
            self._write(complete=False)

    def ended(self, student: str) -> None:
        """Show the grade of a student."""
        self._running.discard(student)
        self._write(complete=False)

    def finish(self) -> None:
        """Write the page that stays: it does not refresh itself, and has all that takes the whole class."""
        self._running.clear()
        self._write(complete=True)

    def _write(self, *, complete: bool) -> None:
        root = self._run.store.root
        page = ClassPage(
            title=self._run.assessment.title,
            grades=list(self._grades.values()),
            complete=complete,
            running=frozenset(self._running),
            pairs=self._pairs() if complete else (),
            books=sorted(path.name for path in root.glob("*.csv")),
        )
        write_whole(root / INDEX, render_page(page))

    def _pairs(self) -> list[Pair]:
        starter = self._run.assessment.folder / STARTER
        given = fingerprints(starter) if starter.is_dir() else {}
        found = {name: load(self._run.store.folder(name) / FINGERPRINTS) for name in self._grades}
        return similar_pairs(found, given)
