"""What this machine has of what a grading needs, and what to do where something is missing."""

import asyncio
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from chaos.containers.engine import Engine, EngineError
from chaos.plain_text import plain
from chaos.sandbox.bubblewrap import find_bubblewrap
from chaos.sandbox.probe import sandbox_refusal
from chaos.toxiproxy import find_server
from grading.errors import GradingError, MachineError
from grading.node import find_node
from grading.processors import count_processors
from grading.uv import find_uv
from grading.workspace import cache_folder

LEAST_FREE: Final = 2**30
"""Bytes: an environment, and a copy of the submission for each of the experiments that run side by side."""
NAME_WIDTH: Final = 11
_SYSCTL: Final = Path("/proc/sys")
_FORBIDS_NAMESPACES: Final = {
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
    "user/max_user_namespaces": "0",
}
"""The settings of Linux by which users may not make namespaces, each with the value that says so."""


class State(Enum):
    """How it stands with one thing: there, not there and not needed, or needed and not there; with its mark and colour."""

    GOOD = ("✓", "green")
    OPTIONAL = ("○", "yellow")
    NEEDED = ("✗", "red")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a grading needs or can use: how it stands with it, and what to do."""

    name: str
    state: State
    seen: str
    advice: str = ""


def examine() -> list[Finding]:
    """Look for all that gradings need or can use on this machine."""
    checks: list[Callable[[], Finding]] = [
        _python, _uv, _node, _git, _sandbox, _docker, _toxiproxy, _disk, _cgroups, _processors,
    ]  # fmt: skip
    return [check() for check in checks]


def can_grade(findings: list[Finding]) -> bool:
    """Whether a grading can run in the runtime that is taken where none is named."""
    return all(one.state is not State.NEEDED for one in findings)


def render(findings: list[Finding], console: Console) -> None:
    """Print one line for each finding."""
    for one in findings:
        mark, style = one.state.value
        line = Text.assemble((mark, style), " ", (f"{one.name:<{NAME_WIDTH}}", "bold"), plain(one.seen))
        if one.advice:
            line.append(f"; {plain(one.advice)}", style=style)
        console.print(line, soft_wrap=True)
    sandboxed = any(one.name == "sandbox" and one.state is State.GOOD for one in findings)
    if not can_grade(findings):
        console.print("No submission can be graded here until you fix what is marked ✗.", style="red")
    elif sandboxed:
        console.print("Gradings run in the sandbox.")
    else:
        console.print("Gradings run as your own processes: not for submissions that nobody has read.")


def _python() -> Finding:
    return Finding("Python", State.GOOD, f"{platform.python_version()} ({platform.python_implementation()})")


def _uv() -> Finding:
    try:
        return Finding("uv", State.GOOD, find_uv())
    except GradingError as error:
        return Finding("uv", State.NEEDED, "none", error.message.rstrip("."))


def _node() -> Finding:
    try:
        found = find_node()
    except MachineError:
        advice = "only submissions in Node.js need it: install it with npm"
        return Finding("Node.js", State.OPTIONAL, "none with npm", advice)
    return Finding("Node.js", State.GOOD, f"{found.version}, {found.program}")


def _git() -> Finding:
    if found := shutil.which("git"):
        return Finding("git", State.GOOD, found)
    return Finding("git", State.OPTIONAL, "none", "install it to grade commits and URLs; folders need no git")


def _sandbox() -> Finding:
    if why := sandbox_refusal():
        return Finding("sandbox", State.OPTIONAL, f"none, because {why}", _namespaces_advice())
    return Finding("sandbox", State.GOOD, f"bubblewrap at {find_bubblewrap()}, in its own namespaces")


def _namespaces_advice() -> str:
    for name, forbidding in _FORBIDS_NAMESPACES.items():
        try:
            forbids = (_SYSCTL / name).read_text(encoding="ascii").strip() == forbidding
        except OSError:
            continue
        if forbids:
            return (
                f"have root change {name.replace('/', '.')}, which is {forbidding}, or use --runtime docker"
            )
    return "grade submissions that nobody has read with --runtime docker, or on another machine"


def _docker() -> Finding:
    try:
        version = asyncio.run(_engine_version())
    except EngineError as error:
        return Finding(
            "Docker", State.OPTIONAL, f"no engine ({error})", "only --runtime docker needs it: start it"
        )
    if shutil.which("docker") is None:
        return Finding(
            "Docker",
            State.OPTIONAL,
            f"an engine, {version}, and no client",
            "only --runtime docker needs it: install Docker's command line",
        )
    return Finding("Docker", State.GOOD, f"engine {version}, and a client")


async def _engine_version() -> str:
    async with Engine() as engine:
        return str((await engine.call("GET", "/version"))["Version"])


def _toxiproxy() -> Finding:
    if found := find_server():
        return Finding("Toxiproxy", State.GOOD, str(found))
    return Finding(
        "Toxiproxy",
        State.OPTIONAL,
        "embedded",
        "this is enough; a toxiproxy-server on PATH is used instead",
    )


def _disk() -> Finding:
    places = {"TMPDIR": Path(tempfile.gettempdir()), "GRADING_CACHE": _existing(cache_folder())}
    free = {variable: shutil.disk_usage(place).free for variable, place in places.items()}
    tightest = min(free, key=lambda variable: free[variable])
    seen = f"{free[tightest] / 2**30:.1f} GB free in {places[tightest]}"
    if free[tightest] < LEAST_FREE:
        advice = f"make room for {LEAST_FREE >> 30} GB, or set {tightest} to a folder on another disk"
        return Finding("disk", State.NEEDED, seen, advice)
    return Finding("disk", State.GOOD, seen)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _cgroups() -> Finding:
    root = Path("/sys/fs/cgroup")
    if not (root / "cgroup.controllers").exists():
        return Finding("cgroups", State.OPTIONAL, "no version 2", "not needed: the grader has its own limits")
    return Finding("cgroups", State.GOOD, "version 2")


def _processors() -> Finding:
    count = count_processors()
    if count == 1:
        return Finding("processors", State.OPTIONAL, "1", "gradings take longer than with two")
    return Finding("processors", State.GOOD, str(count))
