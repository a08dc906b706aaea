"""Decides what has to be installed for a start: what the container installs, or else the nearest dependency files."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from grading.errors import SubmissionError
from grading.start import installs, package_json, requirements
from grading.start.command import StartCommand
from grading.start.container import Container
from grading.start.requirements import Requirements


def find(
    container: Container, start: StartCommand, cwd: Path, main: Path, *, needs_project: bool
) -> Requirements:
    """Return what has to be installed for `start` in the folder `cwd`.

    Dependency files are searched for in `cwd`, the folders around it, and those around the module `main`. The project
    itself is installed only if the service is a script of it, or cannot be found otherwise (`needs_project`).
    Raises SubmissionError if nothing says what to install.
    """
    around = [cwd, *cwd.parents]
    if start.package is not None or PurePosixPath(start.words[0]).name in package_json.PROGRAMS:
        return container.requirements or _packages(container, start, around)
    found = container.requirements or _installed(container, start, [*around, *main.parents])
    if needs_project or _is_script(container, start.words[0], found):
        found = _with_project(container, found, around)
    python = requirements.python_version(container.submission, found) or container.python
    return replace(found, python=python)


def _packages(container: Container, start: StartCommand, around: list[Path]) -> Requirements:
    """Return the package.json of a service of Node.js, to be built if its script is not in the repository."""
    submission = container.submission
    folder = start.package
    if folder is None:
        built = [installs.read(text, directory, container) for directory, text in container.runs]
        named = [one.node for one in [*built, *start.installed] if one is not None and one.node is not None]
        folder = package_json.folder_of(submission, [*around[:1], *named, *around])
    package = None if folder is None else package_json.read(submission, folder)
    if package is None:
        raise SubmissionError(
            "Nothing says what the service needs installed; add a package.json with its package-lock.json."
        )
    script = package_json.entry(start.words)
    missing = script is not None and package_json.entry_file(submission, around[0], script) is None
    return Requirements(node=package.folder, node_build=missing and "build" in package.scripts)


def _installed(container: Container, start: StartCommand, folders: list[Path]) -> Requirements:
    built = [installs.read(text, directory, container) for directory, text in container.runs]
    own = [one for one in [*built, *start.installed] if one is not None and one != Requirements()]
    # Beside a lock, other files only tell again what it has; a package by its name is one more.
    locked = [one for one in own if one.locked]
    more = [
        Requirements(packages=one.packages, options=one.options)
        for one in own
        if not one.locked and one.packages
    ]
    found = (
        requirements.merge([*locked, *more] if locked else own)
        if own
        else requirements.find(container.submission, folders)
    )
    return replace(found, extras=(*found.extras, *start.extras), groups=(*found.groups, *start.groups))


def _is_script(container: Container, program: str, wanted: Requirements) -> bool:
    """Whether `program` is a script that the project itself defines."""
    project = requirements.pyproject(container.submission, wanted.project or Path()) or {}
    table = project.get("project")
    scripts = table.get("scripts") if isinstance(table, dict) else None
    return isinstance(scripts, dict) and program in scripts


def _with_project(container: Container, wanted: Requirements, folders: list[Path]) -> Requirements:
    candidates = [wanted.project] if wanted.project is not None else folders
    folder = next((one for one in candidates if container.submission.has(one / "pyproject.toml")), None)
    return wanted if folder is None else replace(wanted, project=folder, install_project=True)
