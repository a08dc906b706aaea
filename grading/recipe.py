"""What uv and npm have to install for a submission: uv's commands, the files that they read, and a key for the two."""

import hashlib
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grading import node
from grading.errors import SubmissionError
from grading.start import Requirements
from grading.start.requirements import has_dynamic_dependencies, pyproject
from grading.submission import Submission, inside

GRADERS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_FORMAT = "1"
_INCLUDE = re.compile(
    r"^\s*(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?=\S))[\"']?([^\s\"'#]+)", re.MULTILINE
)
_LOCAL = re.compile(
    r"^\s*(-e\b|--editable\b|\.{0,2}/|\.\s*(\[|$)|file:|[^#\n]*@\s*(file:|\.{0,2}/)|[^#:\n]+\.(whl|zip|tar\.gz)\s*$"
    r"|(-f|--find-links)[\s=]+(?!https?:))",
    re.MULTILINE,
)
_LOCAL_LOCK = re.compile(r"source = \{ (?:(?:editable|directory|virtual) = \"(?!\.\")|path = )")
_LOCAL_SOURCE = re.compile(r"\b(path|workspace)\s*=|find-links|file:")


@dataclass(frozen=True)
class Recipe:
    """What to install, and the files that say so; None if any file may, since the repository's own code is installed.

    Equal keys mean equal requirements, contents of those files, versions of Python and Node, and platforms.
    """

    requirements: Requirements
    files: tuple[Path, ...] | None
    key: str

    @classmethod
    def of(cls, submission: Submission, wanted: Requirements, node_version: str = "") -> "Recipe":
        files = None if wanted.install_project or wanted.node_build else _dependency_files(submission, wanted)
        digest = hashlib.sha256()
        python = wanted.python or GRADERS_PYTHON
        for part in (_FORMAT, sysconfig.get_platform(), python, node_version, repr(wanted)):
            digest.update(f"{part}\0".encode())
        for path in _all_files(submission) if files is None else files:
            content = hashlib.sha256((submission.root / path).read_bytes()).hexdigest()
            digest.update(f"{path}\0{content}\0".encode(errors="surrogateescape"))
        return cls(wanted, files, digest.hexdigest()[:32])

    def copy(self, submission: Submission, destination: Path) -> None:
        """Copy the files that uv and npm read; it writes beside them, and editable packages stay there."""
        if self.files is None:
            submission.copy_to(destination)
        else:
            destination.mkdir(parents=True)
            for path in self.files:
                (destination / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(submission.root / path, destination / path)
        if not (destination / "pyproject.toml").exists():
            # Ends uv's search for settings, which would go on in the folders around.
            (destination / "pyproject.toml").write_text("[tool.uv]\n")

    def commands(self, python: str) -> list[tuple[Path, list[str]]]:
        """Return uv's commands that install this for an interpreter, each with the folder of the copy to run it in."""
        wanted = self.requirements
        found = []
        if wanted.locked:
            found.append((wanted.project or Path(), _sync(wanted, python)))
        if words := _pip_arguments(wanted):
            found.append((Path(), ["pip", "install", "--python", python, "--compile-bytecode", *words]))
        return found


def _all_files(submission: Submission) -> Iterator[Path]:
    root = submission.root
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root)


def _dependency_files(submission: Submission, wanted: Requirements) -> tuple[Path, ...] | None:
    """Return all files that decide what is installed; None if they lead to code in the repository."""
    found: set[Path] = set()
    if wanted.node is not None:
        if node.leads_to_code(submission.root, wanted.node):
            return None
        paths = (wanted.node / name for name in node.FILES)
        found |= {path for path in paths if (submission.root / path).is_file()}
    if wanted.project is not None:
        table = pyproject(submission, wanted.project)
        if table is None:
            raise SubmissionError(
                f"There is no {wanted.project / 'pyproject.toml'}; add it beside its uv.lock."
            )
        if _leads_to_code(submission, wanted, table):
            return None
        found |= {
            wanted.project / name
            for name in ("pyproject.toml", "uv.lock")
            if wanted.locked or name != "uv.lock"
        }
    waiting = [*wanted.files, *wanted.constraints]
    while waiting:
        path = waiting.pop()
        text = submission.text(path)
        if text is None:
            raise SubmissionError(
                f"{path} is named as a file of requirements, and is not in the repository; add it."
            )
        if _LOCAL.search(text):
            return None
        found.add(path)
        waiting += [included for included in _included(path, text) if included not in found]
    return tuple(sorted(found))


def _included(path: Path, text: str) -> list[Path]:
    """Return the files that a requirements file includes."""
    names = [name for name in _INCLUDE.findall(text) if "://" not in name]
    places = [inside(path.parent / name) for name in names]
    if None in places:
        outside = names[places.index(None)]
        raise SubmissionError(
            f"{path} includes {outside}, which lies outside of the repository; move it inside."
        )
    return [place for place in places if place is not None]


def _leads_to_code(submission: Submission, wanted: Requirements, table: Mapping[str, object]) -> bool:
    folder = wanted.project or Path()
    if wanted.locked:
        return bool(_LOCAL_LOCK.search(submission.text(folder / "uv.lock") or ""))
    project = table.get("project")
    if not isinstance(project, dict) or has_dynamic_dependencies(project):
        return True
    return bool(_LOCAL_SOURCE.search(submission.text(folder / "pyproject.toml") or ""))


def _sync(wanted: Requirements, python: str) -> list[str]:
    own = [] if wanted.install_project else ["--no-install-project"]
    words = ["sync", "--frozen", "--no-default-groups", "--compile-bytecode", *own]
    return [*words, "--python", python, *_chosen(wanted)]


def _pip_arguments(wanted: Requirements) -> list[str]:
    words = [word for path in wanted.files for word in ("-r", str(path))]
    if wanted.project is not None and not wanted.locked:
        words += ["-r", str(wanted.project / "pyproject.toml"), *_chosen(wanted)]
        words += [f"./{wanted.project}"] if wanted.install_project else []
    words += wanted.packages
    if words:
        words += [word for path in wanted.constraints for word in ("-c", str(path))]
        words += wanted.options
    return words


def _chosen(wanted: Requirements) -> list[str]:
    extras = [word for name in wanted.extras for word in ("--extra", name)]
    return [*extras, *(word for name in wanted.groups for word in ("--group", name))]
