"""Reads the service of a compose file: the container of a Dockerfile or an image, with other settings."""

import re
import shlex
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from grading.errors import SubmissionError
from grading.start import dockerfile, shell
from grading.start.container import Command, Container
from grading.submission import Submission, inside
from lab import compose_file

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""The names of a compose file; the first that there is counts."""


def container(submission: Submission, service: str) -> Container | None:
    """Return the container of the service named `service`; None if no compose file has it.

    Raises SubmissionError if the compose file, or the Dockerfile that it builds, is not valid.
    """
    file, text = next(
        ((name, text) for name in FILES if (text := submission.text(name)) is not None), ("", "")
    )
    try:
        document = compose_file.load(text)
    except ValueError as error:
        raise SubmissionError(f"{file} is not valid YAML; correct it.", detail=str(error)) from error
    services = _table(_table(document).get("services"))
    settings = services.get(service)
    if not isinstance(settings, dict):
        return None
    origin = f"`{service}` in {file}"
    command, entrypoint = (_command(settings.get(key), origin) for key in ("command", "entrypoint"))
    found = _image(submission, settings.get("build"), origin)
    if found.build and command is None and entrypoint is None:
        origin = str(found.build.dockerfile)
    mounts = _mounts(settings.get("volumes"))
    if entrypoint is not None:
        found.entrypoint, found.command = entrypoint, None
    return replace(
        found,
        source="compose",
        origin=origin,
        files=[*found.files, *((target, place) for target, place in mounts if place is not None)],
        volumes=[*found.volumes, *(target for target, place in mounts if place is None)],
        workdir=found.workdir / _plain(settings.get("working_dir") or ""),
        env=found.env | _environment(settings.get("environment"), {str(name) for name in services}),
        command=found.command if command is None else command,
    )


def _image(submission: Submission, build: Any, origin: str) -> Container:
    """Return the container of the image that a service builds, or an empty one."""
    if build is None:
        return Container(submission, "compose", origin)
    table = {"context": build} if isinstance(build, str) else _table(build)
    context = inside(_plain(table.get("context", ".")))
    if context is None:
        raise SubmissionError(f"{origin} is built from outside of the repository; correct its `build`.")
    name = _plain(table.get("dockerfile", "Dockerfile"))
    target = str(table["target"]) if table.get("target") else None
    return dockerfile.read(submission, inside(context / name) or Path(name), context, target)


def _environment(given: Any, services: set[str]) -> dict[str, str]:
    """Return the variables with values of their own, without those that name the other services."""
    lines = given if isinstance(given, list) else [f"{name}={value}" for name, value in _pairs(given)]
    # `redis://redis:6379` is the address of a container that the lab does not start.
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


def _mounts(given: Any) -> list[tuple[PurePosixPath, Path | None]]:
    """Return the folders that are mounted, each with what of the repository is there; None if that is nothing."""
    found: list[tuple[PurePosixPath, Path | None]] = []
    for volume in given if isinstance(given, list) else []:
        if isinstance(volume, dict):
            source, target = str(volume.get("source", "")), str(volume.get("target", ""))
            is_bind = volume.get("type") == "bind"
        else:
            source, _, rest = _plain(volume).partition(":")
            target = rest.partition(":")[0]
            is_bind = source.startswith(".")
        if target.startswith("/"):
            found.append((PurePosixPath(target), inside(source) if is_bind else None))
    return found


def _command(given: Any, origin: str) -> Command | None:
    """Return a command of compose, which splits a string into words without a shell."""
    if isinstance(given, list):
        return [_plain(word) for word in given]
    try:
        return shlex.split(_plain(given)) if given is not None else None
    except ValueError as error:
        raise SubmissionError(
            f"The command of {origin} cannot be split into words ({error}); correct it."
        ) from error


def _plain(given: Any) -> str:
    text = str(given)
    expanded = shell.expand(text, {})
    return text if expanded is None else expanded


def _table(given: Any) -> dict[Any, Any]:
    return given if isinstance(given, dict) else {}
