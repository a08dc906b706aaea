"""What is graded after a save. The gradings here end with the statuses that the test sets; the saves are real."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from grading import judge
from grading.report import Report
from grading.saves import Saves
from grading.score import Choose
from grading.watch import Watch
from lab.assessment import Assessment
from lab.exercise import Exercise
from lab.verdict import failed, passed
from tests.exam import EXAM
from tests.grading.test_cli import GRADING, descendants, is_running

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parents[2]
WEEK = ROOT / "exercises/week1"
EXERCISE = EXAM.exercises[0]
NUMBERS = frozenset(one.number for one in EXERCISE.criteria)
SECONDS = 60


def choose(named: str | None) -> tuple[Assessment, list[Exercise]]:
    return EXAM, [EXERCISE]


def report(exercises: list[Exercise], failing: frozenset[str]) -> Report:
    results = tuple(
        EXAM.scoring.result(
            one,
            [
                judge.result(each, failed("", "") if each.number in failing else passed(""), {})
                for each in one.criteria
            ],
        )
        for one in exercises
    )
    fields: Mapping[str, object] = {
        "submission": "fork",
        "assessment": "exam",
        "scheme": "levels",
        "commit": None,
        "dirty": False,
        "started": "2026-11-24T10:00:00+00:00",
        "seconds": 1.0,
        "seed": 1,
        "fault_proxy": "none",
        "control_failure": None,
        "exercises": results,
    }
    return Report.model_validate(fields)


class Gradings:
    """Grades and pages of a watch: what is graded is told by its criteria."""

    def __init__(self) -> None:
        self.failing: frozenset[str] = frozenset()
        self.pages: list[str] = []
        self.graded: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        self.rested = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.torn_down = False

    async def grade(self, part: Choose) -> Report | None:
        _, exercises = part(None)
        numbers = frozenset(one.number for each in exercises for one in each.criteria)
        self.graded.put_nowait(numbers)
        if self.held:
            try:
                await self.held.wait()
            finally:
                self.torn_down = True
        return report(list(exercises), self.failing)

    def turn(self, title: str) -> None:
        self.pages.append(title)

    def rest(self) -> None:
        self.rested.set()

    async def next(self) -> frozenset[str]:
        return await asyncio.wait_for(self.graded.get(), SECONDS)

    async def at_rest(self) -> None:
        await asyncio.wait_for(self.rested.wait(), SECONDS)
        self.rested.clear()


@contextlib.asynccontextmanager
async def watching(folder: Path, gradings: Gradings) -> AsyncIterator[None]:
    saves = Saves(folder)
    async with saves.watched():
        task = asyncio.create_task(Watch(choose, gradings.grade, gradings).run(saves))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_failed_is_graded_again_and_then_the_rest(tmp_path: Path) -> None:
    gradings = Gradings()
    gradings.failing = frozenset({"1.2", "1.5"})
    async with watching(tmp_path, gradings):
        assert await gradings.next() == NUMBERS
        await gradings.at_rest()

        gradings.failing = frozenset({"1.5"})
        (tmp_path / "app.py").write_text("a = 1\n")
        assert await gradings.next() == {"1.2", "1.5"}
        await gradings.at_rest()

        gradings.failing = frozenset()
        (tmp_path / "app.py").write_text("a = 2\n")
        assert await gradings.next() == {"1.5"}
        assert await gradings.next() == NUMBERS - {"1.5"}
        await gradings.at_rest()

        (tmp_path / "app.py").write_text("a = 3\n")
        assert await gradings.next() == NUMBERS
        await gradings.at_rest()

    assert gradings.graded.empty()
    assert gradings.pages == [
        "saved: app.py",
        "saved: app.py",
        "what failed passes now; the rest follows",
        "saved: app.py",
    ]


async def test_a_save_while_it_grades_makes_it_begin_again(tmp_path: Path) -> None:
    gradings = Gradings()
    gradings.held = asyncio.Event()
    async with watching(tmp_path, gradings):
        assert await gradings.next() == NUMBERS
        assert not gradings.torn_down
        (tmp_path / "app.py").write_text("a = 1\n")

        assert await gradings.next() == NUMBERS
        assert gradings.torn_down
        gradings.held.set()
        await gradings.at_rest()


async def test_what_is_watched_no_more_is_torn_down(tmp_path: Path) -> None:
    gradings = Gradings()
    gradings.held = asyncio.Event()
    async with watching(tmp_path, gradings):
        await gradings.next()

    assert gradings.torn_down


@pytest.mark.slow
def test_the_command_grades_after_each_save_until_ctrl_c(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    shutil.copytree(WEEK / "starter", fork)
    words = [*GRADING, "watch", str(fork), "-a", "week1", "-e", "1", "--runtime", "process"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            seen = _until("Waiting for a save", process.stdout)
            assert "Total 0/25" in seen
            shutil.copy(WEEK / "solution/answers.toml", fork)
            seen = _until("Waiting for a save", process.stdout)
            assert "saved: answers.toml" in seen
            assert "Total 12.5/25" in seen
            shutil.copy(WEEK / "solution/ANSWERS.md", fork)
            seen = _until("Waiting for a save", process.stdout)
            assert "✓ 1.3" in seen
            assert "the rest follows" in seen
            assert seen.count("2 of 2 criteria passed") == 2
            started = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert not [pid for pid in started if is_running(pid)]
        finally:
            process.kill()


def _until(words: str, lines: object) -> str:
    """Return what a program prints up to a line with these words."""
    seen = []
    for line in lines:  # type: ignore[attr-defined]
        seen.append(line)
        if words in line:
            return "".join(seen)
    raise AssertionError("".join(seen))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["/no/such/folder"], "There is no folder /no/such/folder"),
        ([".", "--criterion", "3.1", "--exercise", "3"], "give one of them"),
        ([str(WEEK / "starter"), "--criterion", "9.9", "--runtime", "process"], "There is no criterion 9.9"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(words: list[str], sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "grading", "watch", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
