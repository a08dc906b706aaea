import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.history import History
from grading import results
from grading.errors import MachineError, UsageError
from grading.report import Report
from lab.result import ExerciseResult
from tests.lab.story import Story

REPORT = Report(
    submission="team/fork",
    assessment="exam",
    scheme="levels",
    commit=None,
    dirty=False,
    started="2026-11-21T10:00:00+00:00",
    seconds=1.0,
    seed=7,
    fault_proxy="none",
    control_failure=None,
    exercises=(),
)


def histories(lines: int = 1) -> dict[str, History]:
    story = Story("hang")
    for _ in range(lines):
        story.log("x" * 1000)
    return {"hang": story.end()}


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 8 KB, as on a disk with no more room than that; nor can what a test run prints."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = histories()

    folder = results.save(tmp_path / "new", REPORT, written)
    report, read = results.load(folder)

    assert folder == tmp_path / "new" / "team-fork"
    assert report.integrity
    assert report.model_copy(update={"integrity": None}) == REPORT
    assert read["hang"].events == written["hang"].events


def test_points_are_added_to_the_cent() -> None:
    exercises = tuple(
        ExerciseResult(
            number=number,
            title="",
            core=False,
            bonus=False,
            points=points,
            max_points=30,
            level="partial",
            criteria=(),
        )
        for number, points in enumerate((30, 20, 4.76, 15, 2, 3, 2), start=1)
    )

    assert REPORT.model_copy(update={"exercises": exercises}).points == 76.76


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = [results.save(tmp_path, REPORT, histories()).name for _ in range(3)]

    assert names == ["team-fork", "team-fork-2", "team-fork-3"]
    assert {path.name for path in tmp_path.iterdir()} == set(names)


@pytest.mark.parametrize("student", ["ada@example.org", "x.", "ada-", "a--b", "s_1"])
def test_a_folder_of_a_class_is_named_after_its_student(student: str) -> None:
    assert results.is_named_after(Path("results/students") / student, student)
    assert not results.is_named_after(Path("results/students/another"), student)


def test_a_full_disk_is_the_machines_fault_and_leaves_no_half_run(tmp_path: Path) -> None:
    written = histories(lines=50)

    with full_disk(), pytest.raises(MachineError, match=r"cannot be written to .*; choose another --out"):
        results.save(tmp_path, REPORT, written)

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_folder_is_wrong_use(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(UsageError, match="choose another --out"):
        results.save(file, REPORT, histories())


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_elses_is_wrong_use(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(UsageError, match="choose another --out"):
        results.save(tmp_path / "results", REPORT, histories())


def test_what_is_no_file_or_has_no_end_is_not_read(tmp_path: Path) -> None:
    for place in ("report.json", "histories/hang.jsonl"):
        folder = results.save(tmp_path, REPORT, histories())
        file = folder / place
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(UsageError, match="cannot be read"):
            results.load(folder)
        file.unlink()
        file.symlink_to("/dev/zero")
        with pytest.raises(UsageError, match="cannot be read"):
            results.load(folder)


def test_a_time_that_is_none_is_not_read(tmp_path: Path) -> None:
    folder = results.save(tmp_path, REPORT, histories())
    file = folder / "report.json"
    file.write_text(file.read_text().replace(REPORT.started, "yesterday"))
    with pytest.raises(UsageError, match="cannot be read"):
        results.load(folder)
