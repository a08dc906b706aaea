"""Which files are those of a service."""

from pathlib import Path

from chaos.service_files import file_among, service_files


def written(root: Path, *names: str) -> list[str]:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return sorted(path.relative_to(root).as_posix() for path in service_files(root))


def test_tests_and_what_is_made_or_installed_are_left_out(tmp_path: Path) -> None:
    left_out = ("tests/a.py", "app/migrations/a.py", "node_modules/a.js", ".venv/a.py", "dist/a.js")
    assert written(tmp_path, "app/a.py", *left_out) == ["app/a.py"]


def test_the_grader_of_a_hand_out_is_left_out(tmp_path: Path) -> None:
    grader = ("chaos/a.py", "exercises/a.py", "grading/a.py", "lab/a.py")
    assert written(tmp_path, "app/lab/a.py", *grader) == ["app/lab/a.py"]


def test_a_folder_that_has_a_name_of_the_graders_is_not(tmp_path: Path) -> None:
    assert written(tmp_path, "lab/a.py", "grading/a.py") == ["grading/a.py", "lab/a.py"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert written(tmp_path, "app/a.py") == ["app/a.py"]


def test_a_new_file_is_where_most_are(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one/a.py", "two/a.ts", "two/b.ts", "two/c.py")]
    assert file_among(files, "probe") == tmp_path / "two" / "probe.ts"
    assert file_among([], "probe") is None
