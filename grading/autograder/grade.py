"""Grades one submission on Gradescope or PrairieLearn, and writes the results there whatever happens.

This is a program of its own, copied into the autograder: it needs nothing but the standard library, so that a grader which
does not even start has results that say so. `settings.json` beside it names the platform, the assessment and the
seconds that a grading may take.
"""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
USER = "nobody"
"""Who the grader runs as if it is started by root, so that a submission cannot write the results."""
END_SECONDS = 20.0
"""How long a grader has to end what it started, once its time is up."""
MOST_OUTPUT = 16 << 20
MOST_FILES = 5_000
MOST_BYTES = 64 << 20
"""What an uploaded archive may hold."""

Document = dict[str, Any]


class FailedError(Exception):
    """Nothing could be graded, through no fault of the submission."""


class RefusedError(Exception):
    """The submission's fault: it is not what is to be handed in."""


@dataclass(frozen=True)
class Platform:
    """Where a platform has its files, and what its results are if nothing was graded."""

    submission: Path
    results: Path
    failed: Callable[[str], Document]
    finished: Callable[[Document], Document]


def main() -> None:
    """Grade the submission and write the results."""
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    name = settings["platform"]
    platform = PLATFORMS[name]()
    try:
        with tempfile.TemporaryDirectory(prefix="grader-", ignore_cleanup_errors=True) as folder:
            scratch = Path(folder)
            repository = find_repository(platform.submission, scratch)
            document = grade(repository, scratch, name, settings["assessment"], settings["seconds"])
        document = platform.finished(document)
    except RefusedError as error:
        document = platform.failed(f"{error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, the student has to read that it is not theirs
        told = str(error) if isinstance(error, FailedError) else f"{type(error).__name__}: {error}"
        document = platform.failed(
            f"The grader failed, and your submission is not to blame: {told}. Ask your instructor to grade it again."
        )
    write(platform.results, document)


def grade(repository: Path, scratch: Path, output: str, assessment: str, seconds: float) -> Document:
    """Return the report of the grader in a format. Raises FailedError if there is none."""
    home = Path(os.environ.get("GRADER_HOME", "/opt/grader"))
    words = [
        str(home / "venv/bin/grading"),
        "score",
        str(repository),
        "--assessment",
        assessment,
        "--format",
        output,
    ]
    environment = {
        **os.environ,
        "PATH": f"{home / 'venv/bin'}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(home / "cache")),
        "UV_PYTHON_INSTALL_DIR": str(home / "python"),
    }
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(  # noqa: S603 - the grader, on a folder that is no option
            words,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            start_new_session=True,
            **_identity(repository, scratch, home / "cache"),
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise FailedError(f"it took longer than {seconds:g} s") from None
        printed.seek(0)
        text = printed.read(MOST_OUTPUT)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise FailedError(f"it ended with code {process.returncode} and without a report")
    return document


def find_repository(folder: Path, scratch: Path) -> Path:
    """Return the folder of the repository: what was handed in, unpacked, without an only folder around it.

    Raises RefusedError for an archive that cannot be unpacked.
    """
    entries = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    if len(entries) == 1 and entries[0].suffix == ".zip" and entries[0].is_file():
        folder = scratch / "submission"
        unpack(entries[0], folder)
        entries = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        return entries[0]
    return folder


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive of bounded size. Raises RefusedError if it is none, or too big."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_BYTES:
                raise RefusedError(
                    f"{path.name} holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MB;"
                    " leave out what is not yours, such as .git and .venv."
                )
            archive.extractall(folder)  # which keeps within the folder, and to the sizes that were added up
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error):
        raise RefusedError(f"{path.name} cannot be unpacked; make it again and hand it in again.") from None


def write(path: Path, document: Document) -> None:
    """Put results in their place, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def _identity(repository: Path, *owned: Path) -> dict[str, Any]:
    """Return the options of a process that is not root's, and give it the folders that it needs."""
    if os.geteuid() != 0:
        return {}
    HERE.chmod(0o700)  # the grader's wheel has the solutions
    user = pwd.getpwnam(os.environ.get("GRADER_USER", USER))
    for folder in filter(Path.exists, owned):
        _change("chown", f"{user.pw_uid}:{user.pw_gid}", folder)
    _change("chmod", "a+rX", repository)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _change(program: str, to: str, folder: Path) -> None:
    """Change the owner or the mode of a whole folder, following none of its links."""
    subprocess.run([f"/bin/{program}", "-R", to, str(folder)], check=True)  # noqa: S603 - folders of our own


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def gradescope() -> Platform:
    """Gradescope. A run that is not judged leaves the best score of the earlier submissions as it was."""
    root = Path(os.environ.get("AUTOGRADER", "/autograder"))

    def failed(message: str) -> Document:
        return {
            "score": best_score(root / "submission_metadata.json"),
            "execution_time": 0,
            "output": f"{message}\nThe score is your best one so far.",
            "output_format": "text",
            "test_output_format": "text",
            "test_name_format": "text",
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "tests": [],
            "extra_data": {"judged": False},
        }

    def finished(document: Document) -> Document:
        best = best_score(root / "submission_metadata.json")
        if document["extra_data"]["judged"] or document["score"] >= best:
            return document
        output = (
            f"{document['output']}\nNot everything could be judged, so the score is your best one so far."
        )
        return {**document, "score": best, "output": output}

    return Platform(root / "submission", root / "results/results.json", failed, finished)


def best_score(metadata: Path) -> float:
    """Return the highest score of the earlier submissions; 0 if there is none, or none can be read."""
    try:
        earlier = json.loads(metadata.read_text(encoding="utf-8"))["previous_submissions"]
        return max([0.0, *(float(one["score"]) for one in earlier if one.get("score") is not None)])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0.0


def prairielearn() -> Platform:
    """PrairieLearn, where what is not gradable costs no attempt."""
    root = Path(os.environ.get("GRADE", "/grade"))

    def failed(message: str) -> Document:
        return {
            "gradable": False,
            "score": 0.0,
            "format_errors": [message],
            "message": message,
            "output": "",
            "tests": [],
        }

    return Platform(root / "student", root / "results/results.json", failed, lambda document: document)


PLATFORMS = {"gradescope": gradescope, "prairielearn": prairielearn}


if __name__ == "__main__":
    main()
