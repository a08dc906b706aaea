"""A disk without room: for the copies of the submission, while the services run, and for the results."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.grading.starved.grader import Grader

pytestmark = pytest.mark.slow

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes disks of a size, such as `3m`; skips the test where that is not allowed."""
    with contextlib.ExitStack() as stack:

        def make(size: str) -> Path:
            folder = tmp_path / f"disk-{size}"
            folder.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
            if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("no disk can be mounted")
            stack.callback(lambda: subprocess.run(["umount", "--lazy", str(folder)], check=True))
            return folder

        yield make


def _fill(folder: Path) -> None:
    descriptor = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, b"x" * 4096)
    finally:
        os.close(descriptor)


def test_no_room_for_the_copies_is_nobodys_loss(disk: Disk, tmp_path: Path) -> None:
    with Grader("reference", 1, tmp_path, variables={"TMPDIR": str(disk("2m"))}) as grader:
        result = grader.result()

    assert result.wrong() == []
    assert any(
        "could not be copied ([Errno 28] No space left on device)" in reason for reason in result.open()
    )


def test_a_disk_that_fills_up_is_nobodys_loss(disk: Disk, tmp_path: Path) -> None:
    folder = disk("60m")
    with Grader("reference", 4, tmp_path, variables={"TMPDIR": str(folder)}) as grader:
        grader.wait_for("running 'mlflow_down'")
        _fill(folder)
        result = grader.result()

    assert result.wrong() == []
    assert any("the disk is full" in reason or "No space left" in reason for reason in result.open())


def test_results_that_find_no_room_are_told_and_leave_the_report(disk: Disk, tmp_path: Path) -> None:
    folder = disk("16k")
    with Grader("reference", 1, tmp_path, options=["--out", folder / "results"]) as grader:
        result = grader.result()

    assert result.code == 3
    assert result.report["points"] == 15
    told = " ".join(result.errors.split())
    assert f"The results cannot be written to {folder}/results (No space left on device); choose" in told
    assert "Traceback" not in told
    assert list((folder / "results").iterdir()) == []


def test_a_report_that_cannot_be_written_ends_in_a_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*Grader.COMMAND, "explain", "3"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert ended.returncode == 3
    assert ended.stderr.startswith("The grader cannot continue ([Errno 28] No space left on device)")
    assert "Traceback" not in ended.stderr
