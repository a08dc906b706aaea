"""Reads the commands with which Dockerfiles and start scripts install dependencies."""

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_PIP = re.compile(r"(.*/)?pip[\d.]*")
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pdm", "build"})
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


@dataclass(frozen=True)
class Install:
    """One command that installs: what is named in it, as seen from `directory`."""

    directory: PurePosixPath
    sync: bool = False
    files: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def read(command: str, directory: PurePosixPath) -> Install | None:
    """What `command` installs into Python, or None if it is no such command."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    while words and (words[0] == "exec" or re.match(r"\w+=", words[0])):
        del words[0]
    if words[:1] == ["uv"] and "sync" in words[1:3] and "pip" not in words:
        return _sync(words[1:], directory)
    if words[:2] == ["uv", "pip"]:
        del words[0]
    elif len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1:3] == ["-m", "pip"]:
        del words[:2]
    if len(words) > 1 and _PIP.fullmatch(words[0]) and words[1] in {"install", "wheel", "download", "sync"}:
        return _pip(words[2:], directory, files_only=words[1] == "sync")
    return None


def _sync(words: list[str], directory: PurePosixPath) -> Install:
    values: dict[str, list[str]] = {"--extra": [], "--group": []}
    for name, value in _pairs(words, frozenset(values)):
        if name in values and value is not None:
            values[name].append(value)
    extras, groups = (tuple(values[name]) for name in ("--extra", "--group"))
    return Install(directory, sync=True, extras=extras, groups=groups)


def _pip(words: list[str], directory: PurePosixPath, *, files_only: bool) -> Install:
    found: dict[str, list[str]] = {
        field: [] for field in ("packages", "projects", "options", *_FIELDS.values())
    }
    for name, value in _pairs(words, _WITH_VALUE | _SHARED.keys() | _FIELDS.keys()):
        if name in _FIELDS and value is not None:
            found[_FIELDS[name]].append(value)
        elif name in _SHARED and value is not None:
            found["options"] += [_SHARED[name], value]
        elif not name.startswith("-"):
            field = "files" if files_only else "projects" if name.startswith((".", "/")) else "packages"
            found[field].append(name)
    packages = [name for name in found["packages"] if _distribution(name) not in _TOOLS]
    return Install(
        directory,
        files=tuple(found["files"]),
        constraints=tuple(found["constraints"]),
        packages=tuple(packages),
        projects=tuple(found["projects"]),
        extras=tuple(found["extras"]),
        options=tuple(found["options"]),
    )


def _distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;@]", requirement)[0].lower()


def _pairs(words: list[str], with_value: frozenset[str]) -> list[tuple[str, str | None]]:
    """The options of a command line with their values, and its other words with None."""
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
