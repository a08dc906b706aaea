"""Reading below a folder that a program makes difficult."""

import os
from pathlib import Path

import pytest

from chaos import files
from chaos.files import matching_files, read_plain, replace_text, small_files, versions

MOST = 1000


def test_files_are_found_by_their_names_at_any_usual_depth(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/one").write_text("1")
    (tmp_path / "two").write_text("2")

    assert dict(small_files(tmp_path, MOST)) == {"a/b/one": b"1", "two": b"2"}


def test_neither_links_nor_pipes_nor_what_is_too_large_is_opened(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "secret").write_text("s3cret")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe")
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)

    assert dict(small_files(root, MOST)) == {}


def test_what_is_too_deep_is_left_out(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor))
    os.close(descriptor)
    (tmp_path / "shallow").write_text("1")

    try:
        assert dict(small_files(tmp_path, MOST)) == {"shallow": b"1"}
    finally:
        os.system(f"rm -rf {tmp_path}/d")


def test_too_many_files_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ENTRIES", 10)
    for number in range(20):
        (tmp_path / str(number)).write_text("1")

    assert list(small_files(tmp_path, MOST)) == []


def test_too_much_content_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 25)
    for number in range(5):
        (tmp_path / str(number)).write_text("1" * 10)

    assert len(list(small_files(tmp_path, MOST))) == 2


def test_files_of_a_known_version_are_left_out_until_they_change(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("kept", "a/kept", "written", "a/replaced"):
        (tmp_path / name).write_text("1")
    before = versions(tmp_path)
    with (tmp_path / "written").open("r+") as file:
        file.write("2")
    os.utime(tmp_path / "written", (0, 0))
    (tmp_path / "copy").write_text("3")
    (tmp_path / "copy").rename(tmp_path / "a/replaced")
    (tmp_path / "new").write_text("4")

    found = dict(small_files(tmp_path, MOST, before))
    assert found == {"written": b"2", "a/replaced": b"3", "new": b"4"}


def test_text_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.env").write_text("old")

    replace_text(tmp_path, Path("a/.env"), "new")

    assert (tmp_path / "a/.env").read_text() == "new"


def test_text_replaces_a_link_and_leaves_what_it_leads_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("kept")
    (root / ".env").symlink_to(tmp_path / "outside")

    replace_text(root, Path(".env"), "new")

    assert (tmp_path / "outside").read_text() == "kept"
    assert (root / ".env").read_text() == "new"


def test_text_is_not_written_through_a_linked_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "folder").symlink_to(tmp_path / "outside")

    with pytest.raises(NotADirectoryError):
        replace_text(root, Path("folder/.env"), "new")

    assert list((tmp_path / "outside").iterdir()) == []


def test_a_plain_file_is_read_and_no_link_is_followed_to_it(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "codes.json").write_text("[1]")
    (tmp_path / "own" / "link").symlink_to("codes.json")
    (tmp_path / "linked").symlink_to("own")

    assert read_plain(tmp_path, Path("own/codes.json"), 3) == b"[1]"
    for name in ("own/link", "own", "own/missing"):
        assert read_plain(tmp_path, Path(name), 3) is None
    assert read_plain(tmp_path, Path("own/codes.json"), 2) is None
    with pytest.raises(OSError, match="directory"):
        read_plain(tmp_path, Path("linked/codes.json"), 3)


def test_matching_files_are_read_behind_no_link(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root / "src" / "api", elsewhere / "deep"):
        folder.mkdir(parents=True)
    (root / "src" / "api" / "main.py").write_text("own")
    (root / "app.py").write_text("own")
    (elsewhere / "deep" / "key.py").write_text("secret")
    (root / "docs").symlink_to(elsewhere)
    (root / "src" / "out").symlink_to(elsewhere / "deep")
    (root / "key.py").symlink_to(elsewhere / "deep" / "key.py")
    os.mkfifo(root / "pipe.py")
    patterns = ("*.py", "src/**/*.py", "docs/**/*.py", "docs/deep/key.py", "src/out/*.py", "src/*/*.py")

    found = dict(matching_files(root, patterns, 100))

    assert found == {"app.py": b"own", "src/api/main.py": b"own"}
