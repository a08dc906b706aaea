"""Results that were changed, forged, moved or replayed, and those that were not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.history import Log
from exercises import catalogue
from grading import results
from grading.errors import UsageError
from grading.integrity import KEY_VARIABLE
from grading.report import Report
from grading.results import REPORT_BYTES
from grading.verify import Finding, State, verify
from tests.grading.test_results import REPORT, histories
from tests.recordings import unpack

pytestmark = pytest.mark.medium

KEY = b"0123456789abcdef0123456789abcdef"


def kept(folder: Path, *, key: bytes | None = KEY, lines: int = 1, **changes: Any) -> Path:
    """Keep the results of a run in a folder of their own, with a history of so many lines."""
    return results.save(folder, REPORT.model_copy(update=changes), histories(lines), key)


def examined(folder: Path, key: bytes | None = KEY, **options: Any) -> list[Finding]:
    return verify(folder, catalogue.assessment, key, **options)


def states(folder: Path, key: bytes | None = KEY) -> dict[str, State]:
    return {finding.folder.name: finding.state for finding in examined(folder, key)}


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of a report, and leave its digest."""
    path = folder / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def forge(folder: Path, **changes: Any) -> None:
    """Change fields of a report, and make its digest again without the key."""
    report, recorded = results.load(folder)
    old = report.integrity
    assert old
    shutil.rmtree(folder)
    made = results.save(folder.parent / "forged", report.model_copy(update=changes), recorded)
    made.rename(folder)
    forged = json.loads((folder / "report.json").read_text())["integrity"]
    edit(folder, integrity={**forged, "signature": old.signature})


def test_what_the_grader_wrote_is_genuine(tmp_path: Path) -> None:
    [finding] = examined(kept(tmp_path))

    assert (finding.state, finding.reasons) == (State.GENUINE, ())


def test_a_class_is_examined_as_a_whole(tmp_path: Path) -> None:
    kept(tmp_path, submission="one")
    kept(tmp_path / "late", submission="two", key=None)
    edit(kept(tmp_path, submission="three"), seconds=2.0)

    assert states(tmp_path) == {"one": State.GENUINE, "two": State.NOT_SIGNED, "three": State.CHANGED}


def test_without_the_key_a_signature_cannot_be_checked(tmp_path: Path) -> None:
    kept(tmp_path)

    assert states(tmp_path, key=None) == {"team-fork": State.NO_KEY}


def test_a_signature_by_another_key_is_wrong(tmp_path: Path) -> None:
    [finding] = examined(kept(tmp_path, key=b"f" * 32))

    assert finding.state is State.CHANGED
    assert "signed with another key" in finding.reasons[0]


def test_an_edited_report_is_told_without_a_key(tmp_path: Path) -> None:
    folder = kept(tmp_path, key=None)
    edit(folder, submission="another")

    [finding] = examined(folder, key=None)

    assert finding.state is State.CHANGED
    assert "report.json was changed" in finding.reasons[0]


def test_a_forged_report_has_no_signature_of_the_instructors(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    forge(folder, submission="another")

    [finding] = examined(folder)

    assert finding.state is State.CHANGED
    assert finding.reasons == ("report.json was changed, or signed with another key: its signature is wrong",)


def test_a_signature_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    results_without = kept(tmp_path / "forged", key=None, submission="another")
    shutil.rmtree(folder)
    results_without.rename(folder)

    assert [one.state for one in examined(folder)] == [State.NOT_SIGNED]


def test_a_field_that_is_there_twice_is_no_report(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    path = folder / "report.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8, "seed": 7'))

    [finding] = examined(folder)

    assert finding.state is State.CHANGED
    assert "twice" in finding.reasons[0]


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "x" * (REPORT_BYTES + 1)])
def test_a_report_that_cannot_be_read_is_changed(text: str, tmp_path: Path) -> None:
    folder = kept(tmp_path)
    (folder / "report.json").write_text(text)

    [finding] = examined(folder)

    assert finding.state is State.CHANGED
    assert len(finding.reasons[0]) < 300


def test_a_forged_history_is_named(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    with (folder / "histories" / "hang.jsonl").open("a") as file:
        file.write(Log(stream="stdout", text="forged").model_dump_json() + "\n")

    [finding] = examined(folder)

    assert (finding.state, finding.reasons) == (State.CHANGED, ("histories/hang.jsonl was changed",))


def test_histories_are_neither_added_nor_removed(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    (folder / "histories" / "hang.jsonl").rename(folder / "histories" / "other.jsonl")

    [finding] = examined(folder)

    assert set(finding.reasons) == {
        "histories/hang.jsonl is missing",
        "histories/other.jsonl was added",
    }


def test_a_history_of_another_submission_is_told_with_its_owner(tmp_path: Path) -> None:
    one, other = kept(tmp_path, submission="one"), kept(tmp_path, submission="other", lines=2)
    shutil.copy(other / "histories" / "hang.jsonl", one / "histories" / "hang.jsonl")

    found = {finding.folder.name: finding for finding in examined(tmp_path)}

    assert found["one"].reasons == (f"histories/hang.jsonl is one of {other}",)
    assert found["other"].state is State.GENUINE


def test_histories_that_are_no_files_are_not_read(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    (folder / "histories" / "hang.jsonl").unlink()
    (folder / "histories" / "hang.jsonl").symlink_to("/dev/zero")

    [finding] = examined(folder)

    assert finding.state is State.CHANGED
    assert "is no file" in finding.reasons[0]


def test_an_old_report_does_not_pass_for_one_of_a_newer_commit(tmp_path: Path) -> None:
    folder = kept(tmp_path, commit="a" * 40)

    [finding] = examined(folder, commit="b" * 7)
    assert finding.state is State.CHANGED
    assert f"it grades {'a' * 40}, not bbbbbbb" in finding.reasons
    assert [one.state for one in examined(folder, commit="A" * 7)] == [State.GENUINE]

    edit(folder, commit="b" * 40)
    [finding] = examined(folder, commit="b" * 7)
    assert "report.json was changed" in finding.reasons[0]


def test_an_old_report_in_the_place_of_a_newer_one_is_the_same_run_twice(tmp_path: Path) -> None:
    old, new = kept(tmp_path, seconds=1.0), kept(tmp_path, seconds=2.0)
    shutil.rmtree(new)
    shutil.copytree(old, new)

    assert states(tmp_path) == {old.name: State.CHANGED, new.name: State.CHANGED}


def test_a_report_of_another_submission_is_in_a_folder_of_another_name(tmp_path: Path) -> None:
    one, other = kept(tmp_path, submission="one"), kept(tmp_path, submission="other")
    shutil.rmtree(one)
    other.rename(one)

    [finding] = examined(tmp_path)

    assert finding.state is State.CHANGED
    assert "it is the report of 'other'" in finding.reasons[0]


def test_a_folder_without_a_run_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no graded run"):
        examined(tmp_path)


@pytest.fixture
def starter(tmp_path: Path) -> tuple[Report, dict[str, Any]]:
    return results.load(unpack("starter", tmp_path / "recorded"))


def test_points_that_the_histories_do_not_give_are_told(
    starter: tuple[Report, dict[str, Any]], tmp_path: Path
) -> None:
    report, recorded = starter
    better = [one.model_copy(update={"points": one.max_points}) for one in report.exercises]
    forged = results.save(tmp_path, report.model_copy(update={"exercises": tuple(better)}), recorded)

    [finding] = examined(forged, key=None)

    assert finding.state is State.CHANGED
    assert "report.json has 100 points" in finding.reasons[0]
    assert "gives its histories 0" in finding.reasons[0]


def command(folder: Path, key: bytes | None, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    if key is not None:
        environment[KEY_VARIABLE] = key.decode()
    words = [sys.executable, "-m", "grading", "verify", str(folder), *options]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("signed", "key", "code", "word"),
    [
        (KEY, KEY, 0, "genuine"),
        (KEY, b"f" * 32, 1, "changed"),
        (KEY, None, 2, "no key"),
        (None, None, 0, "not signed"),
        (None, KEY, 1, "not signed"),
        (KEY, b"short", 2, "at least 32"),
    ],
)
def test_the_exit_code_says_what_was_found(
    signed: bytes | None, key: bytes | None, code: int, word: str, tmp_path: Path
) -> None:
    ended = command(kept(tmp_path, key=signed), key)

    assert ended.returncode == code
    assert word in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
