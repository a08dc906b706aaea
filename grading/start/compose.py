"""Reads one service of a compose file."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from grading.errors import SubmissionError
from grading.start import shell
from grading.start.dockerfile import Command
from grading.submission import Submission, inside

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


@dataclass(frozen=True)
class Service:
    """What a compose file says of a service, as far as it can be had without containers."""

    file: str
    context: Path | None = None
    dockerfile: str = "Dockerfile"
    target: str | None = None
    command: Command | None = None
    entrypoint: Command | None = None
    workdir: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    mounts: list[tuple[PurePosixPath, Path]] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Takes compose's own tags (`!reset`, `!override`) for what they are put on."""


def _untagged(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _untagged)


def read(submission: Submission, service: str) -> Service | None:
    """The service of this name in the first compose file that there is; None without one.

    Raises SubmissionError if the file is no YAML.
    """
    for name in FILES:
        text = submission.text(name)
        if text is not None:
            break
    else:
        return None
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{name} is not valid YAML; correct it.", detail=str(error)) from error
    services = _table(_table(document).get("services"))
    found = services.get(service)
    return _service(name, service, found, {str(one) for one in services}) if isinstance(found, dict) else None


def _service(file: str, name: str, given: dict[str, Any], services: set[str]) -> Service:
    build = given.get("build")
    table = _table(build) if not isinstance(build, str) else {"context": build}
    context = inside(_plain(table.get("context", "."))) if build is not None else None
    if build is not None and context is None:
        raise SubmissionError(f"{file} builds `{name}` from outside of the repository; correct its `build`.")
    return Service(
        file,
        context,
        _plain(table.get("dockerfile", "Dockerfile")),
        str(table["target"]) if table.get("target") else None,
        _command(given.get("command"), name),
        _command(given.get("entrypoint"), name),
        _plain(given["working_dir"]) if given.get("working_dir") else None,
        _environment(given.get("environment"), services),
        _mounts(given.get("volumes")),
    )


def _environment(given: Any, services: set[str]) -> dict[str, str]:
    """The variables with a value of their own that means something without the other services."""
    lines = given if isinstance(given, list) else [f"{name}={value}" for name, value in _pairs(given)]
    # `redis://redis:6379` names a container that the lab does not start.
    elsewhere = re.compile(rf"(^|//|@|,)({'|'.join(map(re.escape, services))})(:\d|/|$)")
    found = {}
    for name, equals, value in (str(line).partition("=") for line in lines):
        expanded = shell.expand(value, {})
        if equals and expanded is not None and not elsewhere.search(expanded):
            found[name] = expanded
    return found


def _pairs(given: Any) -> list[tuple[str, str]]:
    # YAML's true and null are compose's "true" and "take it from the caller".
    written = {True: "true", False: "false"}
    return [
        (str(name), written[value] if isinstance(value, bool) else str(value))
        for name, value in _table(given).items()
        if value is not None
    ]


def _mounts(given: Any) -> list[tuple[PurePosixPath, Path]]:
    found = []
    for volume in given if isinstance(given, list) else []:
        if isinstance(volume, dict):
            source, target = str(volume.get("source", "")), str(volume.get("target", ""))
            is_bind = volume.get("type") == "bind"
        else:
            source, _, rest = _plain(volume).partition(":")
            target = rest.partition(":")[0]
            is_bind = source.startswith(".")
        place = inside(source) if is_bind else None
        if place is not None and target.startswith("/"):
            found.append((PurePosixPath(target), place))
    return found


def _command(given: Any, name: str) -> Command | None:
    """A command of compose: a string is split into words, and no shell is asked."""
    if isinstance(given, list):
        return [_plain(word) for word in given]
    try:
        return shlex.split(_plain(given)) if given is not None else None
    except ValueError as error:
        raise SubmissionError(
            f"The command of `{name}` in the compose file cannot be split ({error}); correct it."
        ) from error


def _plain(given: Any) -> str:
    text = str(given)
    expanded = shell.expand(text, {})
    return text if expanded is None else expanded


def _table(given: Any) -> dict[Any, Any]:
    return given if isinstance(given, dict) else {}
