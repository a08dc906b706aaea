"""Reads the commands with which Dockerfiles and start scripts install dependencies."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from grading.start import package_json, requirements
from grading.start.container import Container
from grading.start.requirements import Requirements
from grading.submission import inside

_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_PIP = re.compile(r"(.*/)?pip[\d.]*")
_TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "uv", "pipenv", "pdm", "build", "hatch", "pip-tools", "virtualenv"}
    | {"poetry", "poetry-core", "poetry-plugin-export"}
)
_WITH_VALUE = frozenset(
    [
        "-t",
        "--target",
        "--prefix",
        "--root",
        "-w",
        "--wheel-dir",
        "--cache-dir",
        "--timeout",
        "--retries",
        "--python",
        "-p",
        "--platform",
        "--log",
        "--proxy",
        "--cert",
        "--client-cert",
        "--python-version",
        "--implementation",
        "--abi",
        "--src",
        "--progress-bar",
        "--no-binary",
        "--only-binary",
        "--trusted-host",
        "--allow-insecure-host",
        "--link-mode",
        "--index-strategy",
        "--refresh-package",
        "--resolution",
        "-d",
        "--dest",
    ]
)
_FIELDS = {
    "-r": "files",
    "--requirement": "files",
    "-c": "constraints",
    "--constraint": "constraints",
    "-e": "projects",
    "--editable": "projects",
    "--extra": "extras",
}
_SHARED = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
}


def read(command: str, directory: PurePosixPath, container: Container) -> Requirements | None:
    """Return what `command`, run in `directory`, installs of the repository; None if it is no such command."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    while words and (words[0] == "exec" or re.match(r"\w+=", words[0])):
        del words[0]
    if package_json.installs(words):
        folder = package_json.folder_of(container.submission, container.locate(directory))
        return Requirements(node=folder)
    if words[:1] == ["uv"] and "sync" in words[1:3] and "pip" not in words:
        return _sync(words[1:], directory, container)
    if words[:2] == ["uv", "pip"]:
        del words[0]
    elif len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1:3] == ["-m", "pip"]:
        del words[:2]
    if len(words) > 1 and _PIP.fullmatch(words[0]) and words[1] in {"install", "wheel", "download", "sync"}:
        return _pip(words[2:], directory, container, files_only=words[1] == "sync")
    return None


def _sync(words: list[str], directory: PurePosixPath, container: Container) -> Requirements:
    values: dict[str, list[str]] = {"--extra": [], "--group": []}
    for name, value in _pairs(words, frozenset(values)):
        if name in values and value is not None:
            values[name].append(value)
    folders = [*container.locate(directory), Path()]
    found = [requirements.of_folder(container.submission, folder) for folder in folders]
    lock = next((one for one in found if one is not None and one.locked), None)
    if lock is None:
        return Requirements()
    extras = requirements.extras(container.submission, lock) if "--all-extras" in words else values["--extra"]
    return replace(lock, extras=tuple(extras), groups=tuple(values["--group"]))


def _pip(
    words: list[str], directory: PurePosixPath, container: Container, *, files_only: bool
) -> Requirements:
    given: dict[str, list[str]] = {key: [] for key in ("packages", "projects", "options", *_FIELDS.values())}
    for name, value in _pairs(words, _WITH_VALUE | _SHARED.keys() | _FIELDS.keys()):
        if name in _FIELDS and value is not None:
            given[_FIELDS[name]].append(value)
        elif name in _SHARED and value is not None:
            # A folder of wheels is the container's.
            given["options"] += [] if value.startswith("/") else [_SHARED[name], value]
        elif not name.startswith("-"):
            key = "files" if files_only else "projects" if name.startswith((".", "/")) else "packages"
            given[key].append(name)
    packages = [name for name in given["packages"] if _distribution(name) not in _TOOLS]
    projects = [name.partition("[") for name in given["projects"]]
    extras = [extra.strip() for _, _, names in projects for extra in names.rstrip("]").split(",") if extra]
    files = _located(given["files"], directory, container)
    folders = _located([name for name, _, _ in projects], directory, container)
    folders += [file.parent for file in files if file.name == "pyproject.toml"]
    if not (files or folders or packages):
        return Requirements()
    return Requirements(
        project=next((one for one in folders if container.submission.has(one / "pyproject.toml")), None),
        extras=(*given["extras"], *extras),
        files=tuple(file for file in files if file.name != "pyproject.toml"),
        constraints=tuple(_located(given["constraints"], directory, container)),
        packages=tuple(packages),
        options=tuple(given["options"]),
    )


def _located(names: Iterable[str], directory: PurePosixPath, container: Container) -> list[Path]:
    """Return the files of the repository that are named; a `RUN --mount` gives a container files without a copy."""
    found = []
    for name in names:
        plain = inside(name)
        places = container.locate(directory / name)
        if places:
            found.append(places[0])
        elif plain is not None and container.submission.has(plain):
            found.append(plain)
    return found


def _distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;@]", requirement)[0].lower()


def _pairs(words: list[str], with_value: frozenset[str]) -> list[tuple[str, str | None]]:
    """Return the options of a command line with their values, and its other words with None."""
    pairs: list[tuple[str, str | None]] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            pairs.append((word, None))
        elif equals and word.startswith("--"):
            pairs.append((name, value))
        elif word in with_value:
            pairs.append((word, next(rest, None)))
        elif not word.startswith("--") and word[:2] in with_value and len(word) > 2:
            pairs.append((word[:2], word[2:]))
        else:
            pairs.append((word, None))
    return pairs
