"""Whole classes, graded by the command: through kill -9 at any moment, Ctrl-C, and regrades."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from lxml import html

from tests.grading.classroom.toy_runs import WHOLE_SECONDS, Class, small_class, wait_for_ends
from tests.grading.classroom.toy_students import (
    KINDS,
    LATE_OPTIONS,
    check_gradebooks,
    write_class,
    write_exports,
)
from tests.grading.test_cli import descendants
from tests.grading.test_killed import ENDED_SECONDS, await_ends, find_below, handles
from tests.toy_class import SOLUTION

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("grading_slot", "short_temporary_folder")]


GRADER = "grading.classroom.student"
"""What the command line of a process that grades a student holds."""


def wait_for_graders(pid: int, count: int) -> list[int]:
    """Return the processes that grade for a class, once there are so many: between two students there are fewer."""
    deadline = time.monotonic() + ENDED_SECONDS
    while True:
        found = find_below(pid, GRADER)
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"only {len(found)} students are graded at once"
        time.sleep(0.01)


def test_a_class_of_twelve_survives_two_kills(tmp_path: Path) -> None:
    canvas, moodle = write_exports(tmp_path)
    one = Class(
        write_class(tmp_path), *LATE_OPTIONS, "--canvas", str(canvas), "--moodle", str(moodle), "--jobs", "3"
    )

    with one.started() as process:
        wait_for_ends(process, 2)
        first = descendants(process.pid)
        running = handles(first)
        process.kill()
        after_first = one.records()
        assert 'http-equiv="refresh"' in (one.results / "index.html").read_text(encoding="utf-8")
        await_ends(running, ENDED_SECONDS)
    with one.started() as process:
        wait_for_ends(process, 3)
        graders = wait_for_graders(process.pid, 2)
        running = handles(descendants(process.pid))
        for pid in (process.pid, *graders):
            os.kill(pid, signal.SIGKILL)
        after_second = one.records()
    code, errors = one.grade()
    await_ends(running, ENDED_SECONDS)

    assert code == 3, errors
    assert 2 <= len(after_first) < len(after_second) < len(KINDS)
    final = one.records()
    assert final.items() >= after_second.items()
    assert after_second.items() >= after_first.items()
    assert not list(one.results.glob("students/.*"))
    assert {json.loads(record)["run"] for record in final.values()} == {1}
    assert "students who are not in the roster: stranger" in errors
    assert "students who are not in Canvas's export: careless" in errors
    check_gradebooks(one.results)
    page = html.fromstring((one.results / "index.html").read_text(encoding="utf-8"))
    assert not page.xpath("//meta[@http-equiv='refresh']")
    links = [one.results / str(link) for link in page.xpath("//a/@href")]
    assert len(links) >= len(KINDS)
    assert [link for link in links if not link.is_file()] == []


def test_ctrl_c_ends_all_and_the_same_command_goes_on(tmp_path: Path) -> None:
    one = Class(small_class(tmp_path, "ada", "grace"), "--jobs", "1")

    with one.started() as process:
        wait_for_ends(process, 1)
        running = handles(descendants(process.pid))
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr
        told = process.stderr.read()
        assert process.wait(ENDED_SECONDS) == 130
        await_ends(running, ENDED_SECONDS)
    before = one.records()
    code, errors = one.grade()

    assert "Interrupted; what has been graded is kept." in told
    assert "Traceback" not in told
    assert list(before) == ["ada"]
    assert code == 0, errors
    assert one.records()["ada"] == before["ada"]
    assert "(1 of 1)" in errors


def test_regrades(tmp_path: Path) -> None:
    """One, those that have changed, and nobody where nothing has; with the difference to the last grade."""
    roster = small_class(tmp_path, "ada", "grace")
    (tmp_path / "grace/app.py").write_text("raise SystemExit\n")
    one = Class(roster, "--jobs", "2")
    code, _ = one.grade()
    assert code == 0
    first = one.records()

    code, errors = one.grade()
    assert (code, one.records()) == (0, first)
    assert "starting" not in errors

    (tmp_path / "grace/app.py").write_text(SOLUTION)
    code, errors = one.grade("--changed")
    assert code == 0
    assert "ada: unchanged" in errors
    assert "grace: 12 of 12 points, distinction, +10 since run 1" in errors
    assert one.records()["ada"] == first["ada"]
    assert one.record("grace")["points"] == 12
    difference = json.loads((one.results / "students/grace/difference.json").read_text())
    assert difference["points"] == 2
    assert {change["number"] for change in difference["changes"]} == {"1.1", "1.2"}

    code, errors = one.grade("--only", "ada")
    assert code == 0
    assert "grace: starting" not in errors
    assert one.record("ada")["run"] == 4
    assert one.record("grace")["run"] == 3


def test_a_killed_grader_costs_one(tmp_path: Path) -> None:
    one = Class(small_class(tmp_path, "ada", "grace"), "--jobs", "2")
    with one.started() as process:
        assert process.stderr
        for line in process.stderr:
            if "grace: starting" in line:
                break
        [victim, *_] = find_below(process.pid, GRADER)
        os.kill(victim, signal.SIGKILL)
        _, errors = process.communicate(timeout=WHOLE_SECONDS)

    assert process.returncode == 3
    assert sorted(str(one.record(name)["state"]) for name in ("ada", "grace")) == ["graded", "not judged"]
    assert "was killed (SIGKILL); grade it again" in " ".join(errors.split())
    code, _ = one.grade()
    assert code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--only", "nobody"], "There is no student nobody in the roster"),
        (["--assessment", "unknown"], "There is no assessment 'unknown'."),
        (["--exercise", "9"], "There is no exercise 9; there are 1."),
        (["--late-cap", "5"], "needs both --late-per-day and --late-cap"),
        (["--deadline", "soon"], "--deadline: 'soon' is no time"),
        (["--canvas", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--contract", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_wrong_use_is_told_before_anything_is_graded(options: list[str], words: str, tmp_path: Path) -> None:
    one = Class(small_class(tmp_path, "ada"))

    code, errors = one.grade(*options)

    assert code == 2
    assert words in " ".join(errors.split())
    assert not (one.results / "students/ada").exists()
