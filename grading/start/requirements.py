"""What a submission needs installed, and where its files say so."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grading.errors import SubmissionError
from grading.start import package_json
from grading.submission import Submission

_VERSION = re.compile(r"3\.\d+")


@dataclass(frozen=True)
class Requirements:
    """What uv and npm are to install. Paths are relative to the submission's root.

    `project` is the folder of a pyproject.toml; if it is `locked`, the uv.lock beside it decides. `options` are
    options of both `uv pip install` and pip. `python` is the preferred version, such as "3.12".

    `node` is the folder of a package.json, whose script `build` is run afterwards if `node_build` says so.
    """

    project: Path | None = None
    locked: bool = False
    install_project: bool = False
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    constraints: tuple[Path, ...] = ()
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    python: str | None = None
    node: Path | None = None
    node_build: bool = False

    @property
    def described(self) -> str:
        """What a person would call this, such as `uv.lock`."""
        if self.project is not None:
            return str(self.project / ("uv.lock" if self.locked else "pyproject.toml"))
        node = [] if self.node is None else [self.node / package_json.FILE]
        return ", ".join([*map(str, [*self.files, *node]), *self.packages])


def pyproject(submission: Submission, folder: Path) -> dict[str, Any] | None:
    """Return the parsed pyproject.toml of `folder`, if there is one. Raises SubmissionError if it is not TOML."""
    path = folder / "pyproject.toml"
    text = submission.text(path)
    if text is None:
        return None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SubmissionError(f"{path} is not valid TOML ({error}); correct it.") from error


def find(submission: Submission, folders: Iterable[Path]) -> Requirements:
    """Return what the dependency files of the first folder that has some ask for.

    In a folder, a lock goes before requirements.txt, that before a pyproject.toml with dependencies, and that before a
    package.json.
    Raises SubmissionError if there are none.
    """
    for folder in dict.fromkeys(folders):
        found = of_folder(submission, folder)
        if found is not None:
            return found
    raise SubmissionError(
        "Nothing says what the service needs installed; add a uv.lock with its pyproject.toml, a requirements.txt or a"
        ' package.json, or name one: [tool.grading] requirements = "path/to/requirements.txt".'
    )


def of_folder(submission: Submission, folder: Path) -> Requirements | None:
    """Return what the dependency files of one folder ask for."""
    project = pyproject(submission, folder)
    if project is not None and submission.has(folder / "uv.lock"):
        return Requirements(project=folder, locked=True)
    if submission.has(folder / "requirements.txt"):
        return Requirements(files=(folder / "requirements.txt",))
    if project is not None and _has_dependencies(project):
        return Requirements(project=folder)
    return Requirements(node=folder) if submission.has(folder / package_json.FILE) else None


def named(submission: Submission, names: list[str]) -> Requirements:
    """Return what the files of `[tool.grading] requirements` ask for. Raises SubmissionError if one is not there."""
    found = Requirements()
    for name in names:
        if Path(name).is_absolute() or not submission.has(name):
            raise SubmissionError(
                f"[tool.grading] requirements names {name}, which is not in the repository."
            )
        path = Path(name)
        if path.name in {package_json.FILE, "package-lock.json"}:
            found = replace(found, node=path.parent)
        elif path.name in {"pyproject.toml", "uv.lock"}:
            found = replace(found, project=path.parent, locked=path.name == "uv.lock")
        else:
            found = replace(found, files=(*found.files, path))
    return found


def merge(found: Sequence[Requirements]) -> Requirements:
    """Return what all of `found` ask for together; the first project is the one that is installed."""
    first, *others = found
    for other in others:
        first = Requirements(
            project=first.project if first.project is not None else other.project,
            locked=first.locked or other.locked,
            extras=(*first.extras, *other.extras),
            groups=(*first.groups, *other.groups),
            files=(*first.files, *other.files),
            constraints=(*first.constraints, *other.constraints),
            packages=(*first.packages, *other.packages),
            options=(*first.options, *other.options),
            node=first.node if first.node is not None else other.node,
        )
    return first


def with_groups(submission: Submission, wanted: Requirements, names: Sequence[str]) -> Requirements:
    """Return `wanted` with those of `names` that are dependency groups or extras of its project."""
    if wanted.project is None or not names:
        return wanted
    table = pyproject(submission, wanted.project) or {}
    project = table.get("project")
    groups, extras = (
        [name for name in names if isinstance(one, dict) and name in one]
        for one in (
            table.get("dependency-groups"),
            project.get("optional-dependencies") if isinstance(project, dict) else None,
        )
    )
    return replace(
        wanted,
        groups=tuple(dict.fromkeys([*wanted.groups, *groups])),
        extras=tuple(dict.fromkeys([*wanted.extras, *extras])),
    )


def extras(submission: Submission, wanted: Requirements) -> list[str]:
    """Return the names of all extras of the project."""
    table = (
        (pyproject(submission, wanted.project) or {}).get("project") if wanted.project is not None else None
    )
    found = table.get("optional-dependencies") if isinstance(table, dict) else None
    return [*found] if isinstance(found, dict) else []


def python_version(submission: Submission, requirements: Requirements) -> str | None:
    """Return the version of Python, such as "3.12", that a `.python-version` near the dependencies asks for."""
    for folder in dict.fromkeys([requirements.project or Path(), Path()]):
        version = _VERSION.match(submission.text(folder / ".python-version") or "")
        if version:
            return version[0]
    return None


def has_dynamic_dependencies(project: Mapping[str, Any]) -> bool:
    """Whether the `[project]` table of a pyproject.toml leaves its dependencies to the build backend."""
    dynamic = project.get("dynamic")
    return isinstance(dynamic, list) and "dependencies" in dynamic


def _has_dependencies(project: dict[str, Any]) -> bool:
    table = project.get("project")
    if isinstance(table, dict):
        return bool(table.get("dependencies")) or has_dynamic_dependencies(table)
    # Poetry's own table: uv asks its build backend.
    tool = project.get("tool")
    return isinstance(tool, dict) and "poetry" in tool and "build-system" in project
