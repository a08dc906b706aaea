"""Writes what students receive: this repository with the starter in place of the solution."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from grading.errors import MachineError, UsageError

ROOT = Path(__file__).parent.parent
STARTER = ROOT / "exercises" / "exam" / "starter"
PAGES = ROOT / "exercises" / "exam" / "handout"
KEPT = (
    "grading",
    "lab",
    "chaos",
    "exercises",
    "EXAM.md",
    "docs/HISTORY.md",
    "LICENSE",
    "Makefile.curl",
    "mise.toml",
    ".gitignore",
)
"""What students get as it stands here: all that they need to test themselves, and nothing of the solution."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "starter", "handout", "*.template.md")
SECONDS = 120.0
IDENTITY = {"NAME": "LLM in production", "EMAIL": "exam@example.org"}


def write_handout(folder: Path) -> None:
    """Write the students' repository into `folder`, with one commit.

    Raises UsageError where the folder holds something or this is a hand-out itself, and MachineError where uv or git
    fails.
    """
    if not STARTER.is_dir():
        raise UsageError("This is a hand-out itself; write hand-outs from the instructor's repository.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name one that does not exist yet.")
    try:
        _write_files(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    _run(folder, _uv(), "lock", "--quiet")
    _run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    _run(folder, "git", "add", "--all")
    _run(folder, "git", "-c", "commit.gpgSign=false", "commit", "--quiet", "--message", "The exam")


def pyproject(root: str, starter: str) -> str:
    """Return the students' pyproject.toml: the service depends on what the starter does, and nobody lints.

    `root` and `starter` are the texts of this repository's and the starter's; raises ValueError where they are not
    laid out as they are here.
    """
    dependencies = tomllib.loads(starter)["project"]["dependencies"]
    listed = "".join(f'    "{one}",\n' for one in dependencies)
    text = _replaced(
        r"^# What the service needs.*?\ndependencies = \[\n.*?^\]", f"dependencies = [\n{listed}]", root
    )
    text = _replaced(r"^test = \[\n.*?^\]\nlint = \[\n.*?^\]\n", "", text)
    text = _replaced(r"^default-groups = .*?$", 'default-groups = ["grading"]', text)
    return _replaced(r"^\[tool\.mypy\].*\Z", "", text).rstrip() + "\n"


def _replaced(pattern: str, replacement: str, text: str) -> str:
    changed, count = re.subn(pattern, lambda _: replacement, text, count=1, flags=re.MULTILINE | re.DOTALL)
    if not count:
        raise ValueError(f"nothing in pyproject.toml matches {pattern}")
    return changed


def _write_files(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        source = ROOT / name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=LEFT_OUT)
        elif source.exists():
            shutil.copy(source, folder / name)
    shutil.copytree(STARTER / "src", folder / "src", ignore=LEFT_OUT)
    shutil.copy(STARTER / ".env.example", folder / ".env.example")
    shutil.copy(PAGES / "README.md", folder / "README.md")
    shutil.copy(ROOT / "exercises" / "exam" / "IMPLEMENTATION.template.md", folder / "IMPLEMENTATION.md")
    # The lock's versions are kept where they fit, so that everybody has those that the exam was tried with.
    shutil.copy(ROOT / "uv.lock", folder / "uv.lock")
    text = pyproject(
        (ROOT / "pyproject.toml").read_text("utf-8"), (STARTER / "pyproject.toml").read_text("utf-8")
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def _run(folder: Path, *argv: str) -> None:
    identity = {
        f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in IDENTITY.items()
    }
    name = Path(argv[0]).name
    try:
        ended = subprocess.run(  # noqa: S603 - uv and git on files of our own
            argv,
            cwd=folder,
            env={**os.environ, **identity},
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"{name} could not be run ({error}); install it, or try again.") from error
    if ended.returncode:
        detail = ended.stdout + ended.stderr
        raise MachineError(f"`{name} {argv[1]}` failed; the hand-out is not whole.", detail=detail)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else "uv"
