"""Writes what students receive: this repository with the starter in place of the solution."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

from grading.errors import MachineError, UsageError
from grading.uv import find_uv
from lab.assessment import Assessment, Handout

ROOT = Path(__file__).parent.parent
PACKED = Path(__file__).with_name("_repository")
"""The files of the repository's root in an installed wheel, which has no root."""
KEPT = ("grading", "lab", "chaos", "exercises/__init__.py", "exercises/catalogue.py", "exercises/demo.py")
"""What students get of the grader: all that they need to test themselves, and nothing of a solution."""
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", ".*_cache", "starter", "handout", "solution", "*.template.md", PACKED.name
)
NOT_THE_STARTERS = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv", "pyproject.toml", "uv.lock")
KEPT_TABLES = ("tool.grading", "tool.pytest.ini_options")
"""What a starter's pyproject.toml says beside its dependencies."""
SECONDS = 120.0
IDENTITY = {"NAME": "LLM in production", "EMAIL": "exam@example.org"}


def write_handout(folder: Path, assessment: Assessment) -> None:
    """Write the students' repository of an assessment into `folder`, with one commit.

    Raises UsageError where the folder holds something, there is nothing to hand out or this is a hand-out itself, and MachineError where uv or git
    fails.
    """
    if assessment.handout is None:
        raise UsageError(f"The assessment '{assessment.name}' has no hand-out.")
    if not (assessment.folder / "starter").is_dir():
        raise UsageError("This is a hand-out itself; write hand-outs from the instructor's repository.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name one that does not exist yet.")
    try:
        _write_files(folder, assessment, assessment.handout)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    _run(folder, find_uv(), "lock", "--quiet")
    _run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    _run(folder, "git", "add", "--all")
    _run(
        folder,
        "git",
        "-c",
        "commit.gpgSign=false",
        "commit",
        "--quiet",
        "--message",
        assessment.handout.title,
    )


def pyproject(root: str, starter: str, packages: Sequence[str]) -> str:
    """Return the students' pyproject.toml: the service depends on what the starter does, and nobody lints.

    `root` and `starter` are the texts of this repository's and the starter's, `packages` the folders that are
    installed. Raises ValueError where the two are not laid out as they are here.
    """
    data = tomllib.loads(starter)
    groups: dict[str, list[str]] = data.get("dependency-groups", {})
    text = _replaced(
        r"^# What the service needs.*?\ndependencies = \[\n.*?^\]",
        _list("dependencies", data["project"]["dependencies"]),
        root,
    )
    text = _replaced(r"^\[project\.optional-dependencies\]\n.*?(?=^\[)", "", text)
    text = _replaced(r"^# What `grading handout` copies.*?\n\[.*?(?=^\[)", "", text)
    needed = {"grading": tomllib.loads(root)["dependency-groups"]["grading"], **groups}
    lists = "\n".join(_list(name, values) for name, values in needed.items())
    text = _replaced(r"^\[dependency-groups\]\n.*?(?=^\[)", f"[dependency-groups]\n{lists}\n\n", text)
    text = _replaced(r"^default-groups = .*?$", f"default-groups = {json.dumps(['grading', *groups])}", text)
    text = _replaced(r"^packages = .*?$", f"packages = {json.dumps(list(packages))}", text)
    text = _replaced(r"^\[tool\.mypy\].*\Z", "", text)
    kept = [table for name in KEPT_TABLES if (table := _table(name, starter))]
    return "\n\n".join([text.rstrip(), *kept]) + "\n"


def _list(name: str, values: Sequence[str]) -> str:
    listed = "".join(f'    "{one}",\n' for one in values)
    return f"{name} = [\n{listed}]"


def _table(name: str, text: str) -> str:
    """Return a table of a TOML file as it stands there; an empty string where there is none."""
    found = re.search(rf"^\[{re.escape(name)}\]\n.*?(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[0].rstrip() if found else ""


def _replaced(pattern: str, replacement: str, text: str) -> str:
    changed, count = re.subn(pattern, lambda _: replacement, text, count=1, flags=re.MULTILINE | re.DOTALL)
    if not count:
        raise ValueError(f"nothing in pyproject.toml matches {pattern}")
    return changed


def _write_files(folder: Path, assessment: Assessment, handout: Handout) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*KEPT, f"exercises/{assessment.name}", *handout.pages):
        source = _source(name)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=LEFT_OUT)
        elif source.exists():
            shutil.copy(source, folder / name)
    starter = assessment.folder / "starter"
    shutil.copytree(starter, folder, ignore=NOT_THE_STARTERS, dirs_exist_ok=True)
    shutil.copytree(assessment.folder / "handout", folder, dirs_exist_ok=True)
    # The lock's versions are kept where they fit, so that everybody has those that the exam was tried with.
    shutil.copy(_source("uv.lock"), folder / "uv.lock")
    package = assessment.contract.start.main.parent
    installed = [str(package)] if len(package.parts) > 1 else []  # a folder of its own, such as src/api
    text = pyproject(
        _source("pyproject.toml").read_text("utf-8"),
        (starter / "pyproject.toml").read_text("utf-8"),
        [*installed, "grading", "lab", "chaos", "exercises"],
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def _source(name: str) -> Path:
    """Return a file or folder of this repository: in a wheel, those of its root lie beside this module."""
    packed = PACKED / name
    return packed if packed.exists() else ROOT / name


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
        raise MachineError(f"`{name} {argv[1]}` failed; the hand-out is incomplete.", detail=detail)
