"""One command over a class: whom it grades, and what becomes of each."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from grading.classroom.choice import Choice
from grading.classroom.grades import Grade
from grading.classroom.handed_in import last_moment
from grading.classroom.record import Record, digest
from grading.classroom.roster import Roster, Student
from grading.classroom.runner import Runner, Step
from grading.classroom.store import Run, Store
from grading.classroom.student import Task, write_failure
from grading.classroom.student_process import Ended
from grading.errors import UsageError
from grading.runtimes import ChosenRuntime
from lab.assessment import Assessment
from lab.exercise import Exercise


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom a command grades again: `only` these, whatever they have; or those whose submission has `changed`.

    Without either, those who have no grade for what is asked.
    """

    only: frozenset[str] = frozenset()
    changed: bool = False

    def name(self) -> str:
        """Return what tells this selection from others in a results folder."""
        return json.dumps({"only": sorted(self.only), "changed": self.changed})

    def check(self, roster: Roster) -> None:
        """Raise UsageError if it names somebody who is not in the roster."""
        known = {one.id for one in roster.students}
        if unknown := sorted(self.only - known):
            raise UsageError(f"There is no student {unknown[0]} in the roster; --only takes an id from it.")


@dataclass(slots=True)
class ClassRun:
    """A class being graded into a results folder."""

    roster: Roster
    choice: Choice
    runtime: ChosenRuntime
    store: Store
    selection: Selection
    run: Run = field(init=False)
    assessment: Assessment = field(init=False)
    exercises: Sequence[Exercise] = field(init=False)

    def __post_init__(self) -> None:
        self.assessment, self.exercises = self.choice()
        self.run = self.store.begin(self.selection.name())

    def tasks(self) -> list[Task]:
        """Return what is left to do in this run, in the order of the roster."""
        return [task for student in self.roster.students if (task := self._task(student))]

    def grades(self) -> dict[str, Grade]:
        """Return the grade of every student of the roster, by id."""
        return {student.id: self.grade(student) for student in self.roster.students}

    def grade(self, student: Student) -> Grade:
        """Return the grade of a student as it is on disk."""
        entry = self.store.entry(student.id)
        if entry and entry.record.request != self._request(student):
            entry = None
        return Grade(student, entry, self.roster.late, self.assessment.scoring.mentions)

    def carry_out(self, tasks: Sequence[Task], runner: Runner, step: Step) -> Iterator[Ended]:
        """Grade, and yield each student whose results are in their place."""
        with contextlib.closing(runner(tasks, step)) as ends:
            for end in ends:
                if end.error:
                    end.task.draft.mkdir(exist_ok=True)
                    write_failure(end.task, end.error)
                self.store.take(end.task.draft)
                yield end
        self.store.finish(self.run)

    def _task(self, student: Student) -> Task | None:
        record, request = self.store.record(student.id), self._request(student)
        if not self._is_due(student, record, request):
            return None
        looked_at = self.selection.changed and record and record.graded and record.request == request
        return Task(
            student=student,
            until=last_moment(student, self.roster.late),
            choice=self.choice,
            runtime=self.runtime,
            run=self.run.number,
            request=request,
            draft=self.store.new_draft(student.id),
            known=record.version if looked_at and record else None,
        )

    def _is_due(self, student: Student, record: Record | None, request: str) -> bool:
        if self.selection.only and student.id not in self.selection.only:
            return False
        if record is None:
            return True
        if record.run == self.run.number and record.request == request:
            return False
        if self.selection.only or self.selection.changed:
            return True
        return not record.graded or record.request != request

    def _request(self, student: Student) -> str:
        contract = self.choice.contract
        return digest(
            {
                "repository": student.repository,
                "commit": student.commit,
                "until": last_moment(student, self.roster.late),
                "assessment": self.assessment.name,
                "exercises": self.choice.numbers,
                "contract": contract.read_text(encoding="utf-8") if contract else None,
            }
        )
