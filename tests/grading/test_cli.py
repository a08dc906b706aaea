import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.sandbox.probe import sandbox_refusal

pytestmark = pytest.mark.medium

TINY = Path(__file__).parent.parent / "services" / "tiny.py"
GRADING = [sys.executable, "-m", "grading"]
PROCESS = ("--runtime", "process")


def grading(*words: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GRADING, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A submission that starts and keeps the contract, with none of the flaws mended."""
    return write_submission(tmp_path / "fork", "well")


def write_submission(
    folder: Path, behaviour: str, requirements: str = "# the standard library alone"
) -> Path:
    folder.mkdir()
    shutil.copy(TINY, folder / "tiny.py")
    (folder / "requirements.txt").write_text(requirements + "\n")
    (folder / "pyproject.toml").write_text(f'[tool.grading]\ncommand = "python tiny.py {behaviour}"\n')
    return folder


@contextlib.contextmanager
def running(submission: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A grader at work, with the processes that it has started by then."""
    words = [*GRADING, "score", str(submission), "--runtime", "process", "-e", "3"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            assert any("running 'hang'" in line for line in process.stderr)
            yield process, descendants(process.pid)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["/no/such/folder"], "There is no folder /no/such/folder"),
        ([__file__], "is a file"),
        ([str(Path(__file__).parents[2]) + "@0123456789"], "has no commit, branch or tag 0123456789"),
        ([".", "--exercise", "99"], "There is no exercise 99"),
        ([".", "--criterion", "3.99"], "There is no criterion 3.99; there are 1.1 to "),
        ([".", "--criterion", "3.1", "--exercise", "3"], "give one of them"),
        ([".", "--criterion", "3.1", "--format", "gradescope"], "--format gradescope takes points"),
        ([".", "--fail-fast", "--format", "autolab"], "--format autolab takes points"),
        (["--out", "x"], "Missing argument"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(words: list[str], sentence: str) -> None:
    ended = grading("score", *words)

    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_what_could_not_be_fetched_has_a_report_in_which_nothing_failed() -> None:
    ended = grading("score", "/no/such/folder", "-e", "3", "--format", "json")

    [report] = json.loads(ended.stdout)
    assert ended.returncode == 2
    assert (report["submission"], report["judged"]) == ("/no/such/folder", False)
    assert report["problem"].startswith("There is no folder /no/such/folder")
    [exercise] = report["exercises"]
    assert {one["status"] for one in exercise["criteria"]} == {"not judged"}


def test_what_was_not_judged_has_no_result_for_classroom50(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLASSROOM", "ASSIGNMENT", "OWNER", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL"):
        monkeypatch.setenv(name, "x")

    ended = grading("score", "/no/such/folder", "--format", "classroom50")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no result for Classroom 50" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_without_a_service_is_the_submissions_failure(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/README.md").write_text("All that I have.\n")

    ended = grading("score", tmp_path, "--format", "prairielearn", *PROCESS)

    document = json.loads(ended.stdout)
    assert ended.returncode == 2
    assert "There is nothing to start in the folder" in ended.stderr
    assert (document["gradable"], document["score"]) == (True, 0)
    assert "There is nothing to start in the folder" in document["output"]
    assert "no fault of the submission" not in ended.stdout


def test_repositories_of_the_same_name_are_not_compared(tmp_path: Path) -> None:
    for student in ("ada", "bob"):
        (tmp_path / student / "exam").mkdir(parents=True)
        (tmp_path / student / "exam/package.json").write_text("{}")
    told = [
        grading("score", tmp_path / student / "exam", "-e", "3", "--out", tmp_path / "out", *PROCESS).stdout
        for student in ("ada", "bob", "ada")
    ]

    assert ["since the last run" in one for one in told] == [False, False, True]


def test_a_format_for_one_report_is_refused_before_two_are_graded() -> None:
    ended = grading("score", "one", "two", "--format", "gradescope")

    assert ended.returncode == 2
    assert ended.stderr.strip() == "--format gradescope takes one report, and here are 2; name one of them."


def test_dependencies_that_do_not_exist_fail_every_criterion(tmp_path: Path) -> None:
    ended = grading(
        "score",
        write_submission(tmp_path / "fork", "well", "./missing-1.0-py3-none-any.whl"),
        "-e",
        "4",
        *PROCESS,
    )

    assert ended.returncode == 1
    assert "0/20" in ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout


def test_a_service_that_exits_at_start_is_shown_once_with_its_last_lines(tmp_path: Path) -> None:
    ended = grading("score", write_submission(tmp_path / "fork", "exit"), "-e", "3", *PROCESS)

    assert ended.returncode == 1
    assert "it exited with code 1 before it answered" in ended.stdout
    assert ended.stdout.count("JWT_SECRET_KEY is not to my liking") == 1
    assert "0/15" in ended.stdout


def test_without_a_runtime_the_box_is_taken_or_the_report_says_why_not(tmp_path: Path) -> None:
    ended = grading("score", write_submission(tmp_path / "fork", "exit"), "-e", "1", "--format", "json")

    [report] = json.loads(ended.stdout)
    if sandbox_refusal():
        assert report["runtime"] == "process"
        assert "only for yourself" in report["runtime_note"]
    else:
        assert (report["runtime"], report["runtime_note"]) == ("sandbox", "")


def test_a_grade_by_processes_says_that_it_is_none_for_others(tmp_path: Path) -> None:
    ended = grading("score", write_submission(tmp_path / "fork", "exit"), "-e", "1", *PROCESS)

    assert "only for yourself" in ended.stdout


def test_a_service_that_prints_without_end_is_ended(tmp_path: Path) -> None:
    ended = grading("score", write_submission(tmp_path / "fork", "flood"), "-e", "3", *PROCESS)

    assert ended.returncode == 1
    assert "printed more than" in ended.stdout
    assert len(ended.stdout) < 20_000


@pytest.mark.slow
def test_results_are_kept_as_json_and_judged_again(submission: Path, tmp_path: Path) -> None:
    ended = grading(
        "score",
        submission,
        "-e",
        "1",
        *PROCESS,
        "--format",
        "json",
        "--out",
        tmp_path / "results",
        "--seed",
        "5",
    )

    [report] = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (report["points"], report["max_points"], report["seed"], report["judged"]) == (0, 15, 5, True)
    folder = tmp_path / "results" / "fork"
    assert {path.stem for path in (folder / "histories").iterdir()} == {"exposed", "repository"}

    again = grading("rescore", folder, "--format", "json")

    assert again.returncode == 1
    assert json.loads(again.stdout)[0]["exercises"] == report["exercises"]


def test_rescoring_nothing_is_wrong_use(tmp_path: Path) -> None:
    ended = grading("rescore", tmp_path)

    assert ended.returncode == 2
    assert "holds no graded run" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_all_that_it_started(submission: Path, number: int) -> None:
    with running(submission) as (process, started):
        assert len(started) > 4
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not [pid for pid in started if is_running(pid)]


@pytest.mark.slow
def test_a_killed_run_leaves_no_process(submission: Path) -> None:
    with running(submission) as (process, started):
        assert len(started) > 4
        process.kill()
        process.communicate()

    deadline = time.monotonic() + 20
    while [pid for pid in started if is_running(pid)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in started if is_running(pid)]


def descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(FileNotFoundError):  # threads and processes end while they are looked at
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                for child in map(int, (task / "children").read_text().split()):
                    found += [child, *descendants(child)]
    return found


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
