import contextlib
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grading import workspace as workspace_module
from grading.errors import MachineError, SubmissionError
from grading.workspace import Workspace, cache_folder, check_room, is_alive, make_private

pytestmark = pytest.mark.medium

GRADER = """
import subprocess, sys, time
from pathlib import Path
from grading.workspace import Workspace
opened = Workspace.open(Path(sys.argv[1]))
(opened.root / "left").write_text("x")
child = subprocess.Popen(["sleep", "300"], env={"PATH": "/bin:/usr/bin", **opened.environment}, start_new_session=True)
print(opened.run_id, child.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A run whose grader was killed: its id, and a process that it left."""
    with subprocess.Popen(
        [sys.executable, "-c", GRADER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as grader:
        assert grader.stdout
        run_id, pid = grader.stdout.readline().split()
        grader.kill()
    yield run_id, int(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGKILL)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def base(parent: Path) -> Path:
    return parent / f"grading-{os.getuid()}"


def test_nothing_is_left_after_a_run(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        assert workspace.root.parent == base(tmp_path)
        assert workspace.root.stat().st_mode & 0o777 == 0o700
        folder = workspace.folder("copy")
        (folder / "file").write_text("x")
        (folder / "file").chmod(0o400)
        folder.chmod(0o500)
    assert list(base(tmp_path).iterdir()) == []
    workspace.close()


def test_a_deep_tree_is_removed(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        subprocess.run(
            [sys.executable, "-c", "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"],
            cwd=workspace.root,
            check=True,
        )
    assert list(base(tmp_path).iterdir()) == []


def test_folders_of_one_name_are_apart(workspace: Workspace) -> None:
    assert workspace.folder("copy") != workspace.folder("copy")


def test_what_a_killed_run_left_is_removed(tmp_path: Path, killed: tuple[str, int]) -> None:
    run_id, pid = killed
    assert (base(tmp_path) / run_id / "left").exists()
    assert running(pid)
    end = select.poll()
    handle = os.pidfd_open(pid)
    end.register(handle, select.POLLIN)
    with Workspace.open(tmp_path) as workspace:
        assert {entry.name for entry in base(tmp_path).iterdir()} == {
            workspace.run_id,
            f"{workspace.run_id}.lock",
        }
    assert end.poll(20_000)
    os.close(handle)


def test_a_living_run_is_left_alone(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as first:
        child = subprocess.Popen(["sleep", "300"], env={"PATH": os.environ["PATH"], **first.environment})
        try:
            with Workspace.open(tmp_path) as second:
                assert first.root.is_dir()
                assert first.run_id != second.run_id
            assert first.root.is_dir()
            assert child.poll() is None
        finally:
            first.close()
        assert child.wait(10) == -signal.SIGKILL, "its own leftovers go with it"


def test_a_run_lives_as_long_as_its_lock_is_held(tmp_path: Path, killed: tuple[str, int]) -> None:
    run_id, _ = killed
    assert not is_alive(tmp_path / f"grading-{os.getuid()}" / run_id)

    with Workspace.open(tmp_path) as opened:
        assert is_alive(opened.root)
    assert not is_alive(opened.root)


def test_what_cannot_be_looked_at_may_be_alive(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert is_alive(tmp_path / "file" / "run")  # as a folder that belongs to another user


def test_only_the_exact_mark_is_killed(tmp_path: Path, killed: tuple[str, int]) -> None:
    run_id, _ = killed
    others = [{"GRADING_RUN": f"{run_id}0"}, {"OTHER": f"GRADING_RUN={run_id}"}, {"GRADING_RUN": ""}]
    children = [subprocess.Popen(["sleep", "300"], env={"PATH": os.environ["PATH"], **env}) for env in others]
    try:
        Workspace.open(tmp_path).close()
        assert [child.poll() for child in children] == [None] * 3
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_many_graders_start_at_once(tmp_path: Path, killed: tuple[str, int]) -> None:
    run_id, pid = killed

    def grade(_: int) -> str:
        with Workspace.open(tmp_path) as workspace:
            (workspace.root / "file").write_text(workspace.run_id)
            time.sleep(0.01)
            assert (workspace.root / "file").read_text() == workspace.run_id
            return workspace.run_id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(grade, range(40)))
    assert len(set(ids)) == 40
    assert list(base(tmp_path).iterdir()) == []
    assert not (base(tmp_path) / run_id).exists()
    assert not running(pid)


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    base(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match="TMPDIR"):
        Workspace.open(tmp_path)


def test_the_cache_can_be_put_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADING_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("GRADING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "llm-grading"


def test_a_folder_of_the_cache_is_this_users_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "cache/starts").mkdir(parents=True)
    make_private(tmp_path / "cache/starts")
    make_private(tmp_path / "other/boxed")

    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("", "cache/starts", "other", "other/boxed")
    ]
    assert modes == [0o755, 0o700, 0o700, 0o700]


def test_a_disk_without_room_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path)
    monkeypatch.setattr(workspace_module, "LEAST_ROOM", shutil.disk_usage(tmp_path).total + 1)

    with pytest.raises(MachineError, match="the disk is full"):
        check_room(tmp_path)


def test_a_disk_that_a_service_filled_is_the_submissions_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instance-1").mkdir()
    (tmp_path / "instance-1" / "file").write_bytes(b"x" * (2 << 20))
    monkeypatch.setattr(workspace_module, "LEAST_ROOM", shutil.disk_usage(tmp_path).total + 1)

    with pytest.raises(MachineError):
        check_room(tmp_path)
    monkeypatch.setattr(workspace_module, "INSTANCE_MEGABYTES", 1)
    with pytest.raises(SubmissionError, match="filled the disk"):
        check_room(tmp_path)


def test_temporary_files_lie_in_the_folder_of_the_run(workspace: Workspace) -> None:
    before = tempfile.gettempdir()
    with workspace.as_temporary_folder():
        assert Path(tempfile.mkdtemp()).is_relative_to(workspace.root)

    assert tempfile.gettempdir() == before
