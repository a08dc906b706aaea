"""Grades classes of the toy assessment by the command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.toy_class import submission

ROOT = Path(__file__).parent.parent.parent.parent
WHOLE_SECONDS = 400.0


class Class:
    """A roster that is graded into a folder beside it."""

    def __init__(self, roster: Path, *options: str) -> None:
        self.results = roster.parent / "results"
        self._words = [
            sys.executable,
            "-m",
            "tests.toy_class",
            "class",
            str(roster),
            "--out",
            str(self.results),
        ]
        self._words += ["--runtime", "process", *options]

    @contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*self._words, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def grade(self, *options: str) -> tuple[int, str]:
        """Grade to the end; returns the exit code and what was printed."""
        with self.started(*options) as process:
            _, errors = process.communicate(timeout=WHOLE_SECONDS)
        assert "Traceback" not in errors, errors
        return process.returncode, errors

    def records(self) -> dict[str, str]:
        paths = self.results.glob("students/[!.]*/record.json")
        return {path.parent.name: path.read_text() for path in paths}

    def record(self, student: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.records()[student])
        return found


def wait_for_ends(process: subprocess.Popen[str], count: int) -> None:
    """Wait until so many students have been graded, and the next line says that another one is being."""
    assert process.stderr
    ended = 0
    for line in process.stderr:
        is_end = line.rstrip().endswith(")") and " of " in line
        ended += is_end
        if ended >= count and not is_end:
            return
    raise AssertionError("the class came to its end")


def small_class(folder: Path, *students: str) -> Path:
    for name in students:
        (folder / name).mkdir()
        for path, text in submission().items():
            (folder / name / path).write_text(text)
    rows = "".join(f"{name},{name.title()},{name}\n" for name in students)
    (folder / "roster.csv").write_text(f"id,name,repository\n{rows}")
    return folder / "roster.csv"
