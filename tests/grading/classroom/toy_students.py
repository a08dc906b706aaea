"""A class of twelve for the toy assessment: honest, hostile, unreachable, and broken students, each with the expected line."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.grading.conftest import IDENTITY, Repository
from tests.toy_class import README, SOLUTION, submission

DEADLINE: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATE_OPTIONS: Final = ("--late-per-day", "2", "--late-cap", "5")


def changed(old: str, new: str) -> str:
    assert SOLUTION.count(old) == 1
    return SOLUTION.replace(old, new)


NO_CARE = changed("except OSError:", "except ZeroDivisionError:")
NO_COUNT = changed("    return int(answer[1:].split(b", "    return 1 or int(answer[1:].split(b")
KILLS_ITS_GRADER = (
    "import os, signal\n"
    "status = open(f'/proc/{os.getppid()}/stat').read()\n"
    "os.kill(int(status.rpartition(')')[2].split()[1]), signal.SIGKILL)\n"
)
FLOODS = (
    "import sys, threading, time\n"
    "def flood():\n"
    "    while True:\n"
    "        print('=cmd()\\x1b[2J' + 'x' * 9000, flush=True)\n"
    "        time.sleep(0.01)\n"
    "threading.Thread(target=flood, daemon=True).start()\n" + SOLUTION
)
LIES = changed('{"count": increment()}', '{"count": "=HYPERLINK(0)", "points": 100, "passed": True}')


@dataclass(frozen=True)
class Kind:
    """A student, and what the gradebook has to say: points (None for no grade) and state.

    `files` are the repository's, unless it is to be nowhere, at `repository`. `late` is the time of its commit, for a
    student with a deadline.
    """

    points: float | None
    state: str = "graded"
    files: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    late: timedelta | None = None
    penalty: float = 0
    name: str = ""


KINDS: Final[Mapping[str, Kind]] = {
    "right": Kind(12, files=submission()),
    "careless": Kind(7, files=submission(app=NO_CARE)),
    "dead": Kind(2, files=submission(app="raise SystemExit('=1+1')\n")),
    "gone": Kind(None, "not fetched", repository="nowhere"),
    "killer": Kind(None, "not judged", files=submission(app=KILLS_ITS_GRADER)),
    "late": Kind(8, files=submission(), late=timedelta(hours=25), penalty=4),
    "flood": Kind(12, files=submission(app=FLOODS), name='=HYPERLINK("http://evil.example","A")'),
    "liar": Kind(2, files=submission(app=LIES), name="@SUM(1+1)"),
    "forgetful": Kind(7, files=submission(app=NO_COUNT)),
    "garbled": Kind(2, files=submission(app="def (:\n")),
    "offline": Kind(None, "not judged", repository="http://127.0.0.1:9/fork.git"),
    "terse": Kind(10, files=submission(readme=README.replace("STORE_URL", "URL"))),
}


def write_class(folder: Path) -> Path:
    """Write the repositories and the roster of the class; returns the roster."""
    stream = io.StringIO()
    roster = csv.writer(stream)
    roster.writerow(["id", "name", "repository", "deadline", "email"])
    for student, kind in KINDS.items():
        if kind.files:
            _write_repository(folder / student, kind)
        due = DEADLINE.isoformat() if kind.late is not None else ""
        roster.writerow(
            [student, kind.name or student.title(), kind.repository or student, due, f"{student}@example.org"]
        )
    path = folder / "roster.csv"
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path


def write_exports(folder: Path) -> tuple[Path, Path]:
    """Write what Canvas and Moodle would export: all but one of the class, and a stranger."""
    listed = [name for name in KINDS if name != "careless"]
    canvas = ["Student,ID,SIS User ID,SIS Login ID,Section,A counter (7)", "    Points Possible,,,,,12"]
    canvas += [f"{name.title()},{number},,{name},A," for number, name in enumerate([*listed, "stranger"])]
    moodle = [
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments"
    ]
    moodle += [
        f"Participant {number},{name.title()},{name}@example.org,,,12.00,-,"
        for number, name in enumerate([*listed, "stranger"])
    ]
    (folder / "canvas-export.csv").write_text("\n".join(canvas) + "\n")
    (folder / "moodle-export.csv").write_text("\n".join(moodle) + "\n")
    return folder / "canvas-export.csv", folder / "moodle-export.csv"


def check_gradebooks(results: Path) -> None:
    """Assert that all gradebooks say what is expected of each student."""
    rows = _table(results / "gradebook.csv")
    assert {row["id"]: (row["state"], row["points"]) for row in rows} == {
        student: (kind.state, f"{kind.points:g}" if kind.points is not None else "")
        for student, kind in KINDS.items()
    }
    expected = {student: f"{kind.points:g}" for student, kind in KINDS.items() if kind.points is not None}
    listed = {student: points for student, points in expected.items() if student != "careless"}
    canvas = {row["SIS Login ID"]: row["A counter (7)"] for row in _table(results / "canvas.csv")[1:]}
    assert canvas == listed
    worksheet = _table(results / "moodle-worksheet.csv")
    assert {row["Email address"].partition("@")[0]: row["Grade"] for row in worksheet} == listed
    imported = _table(results / "moodle-import.csv")
    assert {row["ID number"]: row["A counter"] for row in imported} == expected
    nbgrader = {row["student_id"]: row for row in _table(results / "nbgrader.csv")}
    assert {student: row["score"] for student, row in nbgrader.items()} == expected
    assert {student: row["late_submission_penalty"] for student, row in nbgrader.items()} == {
        student: f"{KINDS[student].penalty:g}" for student in expected
    }
    for path in results.glob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
            assert not [cell for cell in row if cell[:1] in "=+@\t\r" and cell], path


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def _write_repository(folder: Path, kind: Kind) -> None:
    repository = Repository(folder).write(kind.files)
    if kind.late is not None:
        before = dict(IDENTITY)
        stamp = (DEADLINE + kind.late).isoformat()
        IDENTITY.update(GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp)
        repository.commit()
        IDENTITY.clear()
        IDENTITY.update(before)
