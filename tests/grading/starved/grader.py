"""A grading run of a case of the corpus, to be starved while it is under way."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from grading.calibrate.corpus import Case, Corpus
from tests.exam import EXAM

SECONDS = 500.0


def case_named(name: str) -> Case:
    return next(case for case in Corpus.of(EXAM).cases() if case.name == name)


@dataclass(frozen=True)
class Result:
    """How a run ended: the report, the exit code, and what was said on stderr."""

    case: Case
    report: dict[str, Any]
    code: int
    errors: str

    @property
    def criteria(self) -> list[dict[str, Any]]:
        return [one for exercise in self.report["exercises"] for one in exercise["criteria"]]

    def open(self) -> list[str]:
        """Return the reasons of what was not judged for a fault of the machine's or the grader's."""
        return [one["actual"] for one in self.criteria if _is_open(one)]

    def blamed(self) -> set[str]:
        """Return who is to blame for what was not judged, other than the submission."""
        return {one["blame"] for one in self.criteria if _is_open(one)}

    def wrong(self) -> list[str]:
        """Return the verdicts that are wrong: a flaw that passed, what is right and lost its points all the same.

        An exit code that does not tell of open verdicts is wrong as well, and so is a traceback.
        """
        found = [
            f"{one['number']} {one['status']}: {one['actual']}"
            for one in self.criteria
            if self._is_wrong(one)
        ]
        if (self.code == 3) != bool(self.open()):
            found.append(f"exit code {self.code} with {len(self.open())} open verdicts")
        if re.search(r"^Traceback", self.errors, re.MULTILINE):  # the log of a service may have one
            found.append(self.errors)
        return found

    def _is_wrong(self, criterion: Mapping[str, Any]) -> bool:
        if criterion["number"] in self.case.fails:
            return bool(criterion["status"] == "passed")
        return (
            criterion["status"] != "passed"
            and not _is_open(criterion)
            and criterion["number"] not in self.case.open
        )


def _is_open(criterion: Mapping[str, Any]) -> bool:
    return bool(
        criterion["status"] == "not judged" and criterion["blame"] != "submission" and criterion["actual"]
    )


class Grader:
    """A grading process in a session of its own. Ended with all that it started on leaving the context."""

    COMMAND = (sys.executable, "-m", "grading")

    def __init__(
        self,
        name: str,
        exercise: int,
        folder: Path,
        *,
        before: Sequence[str] = (),
        options: Iterable[str | Path] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.case = case_named(name)
        submission = folder / f"{name}-{exercise}"
        submission.mkdir()
        self.case.write(submission)
        words = [
            "score",
            submission,
            "--runtime",
            "process",
            "--exercise",
            exercise,
            "--format",
            "json",
            *options,
        ]
        self.process = subprocess.Popen(
            [*before, *self.COMMAND, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **(variables or {})},
        )
        self._said: list[str] = []

    def says(self, text: str) -> bool:
        """Wait until a line of the progress holds a text; False if the run ends without one."""
        assert self.process.stderr
        for line in self.process.stderr:
            self._said.append(line)
            if text in line:
                return True
        return False

    def wait_for(self, text: str) -> None:
        """As `says`, but a run that ends without such a line fails the test."""
        assert self.says(text), f"ended without '{text}': {''.join(self._said)}"

    def descendants(self, pid: int | None = None) -> list[int]:
        """Return the processes that the grader has started, and those that they have."""
        found = []
        for task in Path(f"/proc/{pid or self.process.pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *self.descendants(child)]
        return found

    def result(self) -> Result:
        """Return how the run ended."""
        output, errors = self.process.communicate(timeout=SECONDS)
        [report] = json.loads(output)
        return Result(self.case, report, self.process.returncode, "".join(self._said) + errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()  # what it started ends with it
        self.process.communicate()
