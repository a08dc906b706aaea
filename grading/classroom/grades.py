"""The grade of each student: what the report says, less what lateness costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from grading.classroom.handed_in import last_moment
from grading.classroom.record import Difference, Record, State
from grading.classroom.roster import LateRule, Student
from grading.classroom.store import Entry
from grading.report import Report
from lab.result import NOT_PASSED

_NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class Grade:
    """A student's line in the gradebooks. `entry` is None for one who has not been graded yet.

    `mentions` are the points that each mention takes.
    """

    student: Student
    entry: Entry | None
    late_rule: LateRule | None
    mentions: Mapping[str, float]

    @property
    def record(self) -> Record | None:
        return self.entry.record if self.entry else None

    @property
    def report(self) -> Report | None:
        return self.entry.report if self.entry else None

    @property
    def difference(self) -> Difference | None:
        return self.entry.difference if self.entry else None

    @property
    def state(self) -> State | None:
        return self.record.state if self.record else None

    @property
    def late(self) -> timedelta:
        """How long after the deadline the commit was made; zero for one in time, or without a commit."""
        deadline, record = self.student.deadline, self.record
        if deadline is None or record is None or record.committed is None:
            return _NOTHING
        return max(_NOTHING, record.committed - deadline)

    @property
    def raw(self) -> float | None:
        """The points without a penalty; None where there is no grade."""
        return self.record.points if self.record and self.record.graded else None

    @property
    def penalty(self) -> float:
        """The points that lateness costs: never more than there are."""
        if self.raw is None or self.late_rule is None:
            return 0.0
        return min(self.raw, self.late_rule.penalty(self.late))

    @property
    def points(self) -> float | None:
        return None if self.raw is None else round(self.raw - self.penalty, 2)

    @property
    def max_points(self) -> float | None:
        return self.record.max_points if self.record else None

    @property
    def mention(self) -> str | None:
        """What the points come to; None where only some exercises were graded, or there is no grade."""
        if self.points is None or self.record is None or self.record.mention is None:
            return None
        if not self.penalty or self.record.mention == NOT_PASSED:
            return self.record.mention
        reached = [name for name, least in self.mentions.items() if self.points >= least]
        return max(reached, key=lambda name: self.mentions[name], default=NOT_PASSED)

    @property
    def _counts_by_name(self) -> bool:
        """Whether the commit is later than the last one that would count if the roster did not name it."""
        until = last_moment(self.student, self.late_rule) if self.student.commit else None
        committed = self.record.committed if self.record else None
        return until is not None and committed is not None and committed > until

    @property
    def remarks(self) -> str:
        """What is to be known of the grade, in a line."""
        if self.record is None:
            return "not graded yet"
        told = [self.record.reason, self.record.remark]
        if self.penalty:
            told.append(f"{describe(self.late)} late: -{self.penalty:g} points")
        if self._counts_by_name:
            told.append(
                f"committed {describe(self.late)} after the deadline, and counts because the roster names it"
            )
        return "; ".join(one for one in told if one)


def describe(late: timedelta) -> str:
    """Return a duration in days, hours and minutes: `1 d 3 h`, `20 min`."""
    minutes = int(late.total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{max(1, rest)} min"
