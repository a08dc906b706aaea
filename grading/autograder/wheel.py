"""The grader as files that can be installed elsewhere: its wheel, and the versions of its libraries."""

import json
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from grading.errors import MachineError, UsageError
from grading.handout import PACKED, ROOT
from grading.uv import find_uv

NAME = "llm-production-exam"
SECONDS = 300.0


def put_wheel(folder: Path) -> Path:
    """Put the grader's wheel into `folder`: built from this repository, or the one that the grader was installed from.

    Raises UsageError if that is gone, and MachineError where uv fails.
    """
    if not PACKED.exists():
        _uv(ROOT, "build", "--wheel", "--quiet", "--out-dir", str(folder.resolve()))
        (folder / ".gitignore").unlink(missing_ok=True)  # uv's, which would hide all of the folder
        [wheel] = folder.glob("*.whl")
        return wheel
    source = _installed_from()
    if source is None or not source.is_file():
        raise UsageError(
            f"The wheel that this grader was installed from is not at {source or 'a path of this machine'};"
            " install the grader from its .whl file, and keep that."
        )
    return Path(shutil.copy(source, folder))


def put_requirements(folder: Path) -> None:
    """Write what the grader needs, in the versions that it is tested with, to `requirements.txt`. Raises MachineError where uv fails."""
    project = PACKED if PACKED.exists() else ROOT
    words = ("--frozen", "--only-group", "grading", "--no-hashes", "--no-header", "--no-annotate", "--quiet")
    path = folder.resolve() / "requirements.txt"
    _uv(project, "export", *words, "--no-emit-project", "--output-file", str(path))


def _installed_from() -> Path | None:
    """Return the file that this grader was installed from; None if that was no file of this machine."""
    text = metadata.distribution(NAME).read_text("direct_url.json")
    url = urlsplit(json.loads(text)["url"]) if text else None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None


def _uv(folder: Path, *words: str) -> None:
    try:
        ended = subprocess.run(  # noqa: S603 - uv on files of our own
            [find_uv(), *words], cwd=folder, timeout=SECONDS, capture_output=True, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"uv could not be run ({error}); try again.") from error
    if ended.returncode:
        raise MachineError(f"`uv {words[0]}` failed; nothing was written.", detail=ended.stderr)
