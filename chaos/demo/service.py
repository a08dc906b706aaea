"""The service of a stack, wherever it runs: a process of this machine's, or a container that publishes its port."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from chaos.demo.errors import NoServiceError, NotThereError
from chaos.listeners import find_listeners

PORT_KEEPER = "docker-proxy"
"""The process that holds a published port of a container's."""

DOCKER_SECONDS = 20.0


class Service(Protocol):
    """What can be done to a service that somebody else has started. Everything raises NotThereError where it is gone."""

    @property
    def name(self) -> str:
        """What to call it."""

    async def signal(self, name: str) -> None:
        """Send it a signal, such as `TERM`."""

    async def secret(self, name: str) -> str:
        """A secret that it was started with, by its variable's name; empty where it has none."""

    async def gone(self) -> None:
        """Wait for its end."""


class ProcessService:
    """A service that is a process, with its workers if it has some."""

    def __init__(self, pid: int, *workers: int) -> None:
        self.name = f"process {pid}"
        self._pid = pid
        self._workers = workers

    async def signal(self, name: str) -> None:
        # A server tells its workers of its end, but cannot tell them of a stop that it does not hear itself.
        told = (self._pid, *self._workers) if name in {"STOP", "CONT"} else (self._pid,)
        try:
            for pid in told:
                os.kill(pid, signal.Signals[f"SIG{name}"])
        except ProcessLookupError:
            raise NotThereError(f"The service ({self.name}) is gone.") from None
        except PermissionError:
            raise NotThereError(
                f"The service ({self.name}) is another user's; signal it as that user."
            ) from None

    async def secret(self, name: str) -> str:
        try:
            text = await asyncio.to_thread(Path(f"/proc/{self._pid}/environ").read_text, errors="replace")
        except OSError as error:
            raise NotThereError(
                f"The environment of the service ({self.name}) cannot be read: {error.strerror}."
            ) from None
        return _variable(name, text.split("\0"))

    async def gone(self) -> None:
        try:
            descriptor = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


class ContainerService:
    """A service that is a container."""

    def __init__(self, name: str) -> None:
        self.name = f"container {name}"
        self._container = name

    async def signal(self, name: str) -> None:
        # STOP does not pass an init process, and a paused container hears nothing but its end to the pause.
        match name:
            case "STOP":
                await _docker("pause", self._container)
            case "CONT":
                await _docker("unpause", self._container)
            case _:
                await _docker("kill", "--signal", name, self._container)

    async def secret(self, name: str) -> str:
        given = await _docker("inspect", "--format", "{{json .Config.Env}}", self._container)
        if value := _variable(name, json.loads(given) or []):
            return value
        # Where compose and swarm put secrets that are files.
        with contextlib.suppress(NotThereError):
            return await _docker("exec", self._container, "cat", f"/run/secrets/{name.lower()}")
        return ""

    async def gone(self) -> None:
        await _docker("wait", self._container, seconds=None)


async def find_service(api: str) -> Service | None:
    """As `the_service`, but return None if nothing serves the API, as far as can be seen from here."""
    try:
        return await the_service(api)
    except NoServiceError:
        return None


async def the_service(api: str) -> Service:
    """Return what serves the API at a URL of this machine; raises NotThereError if there is nothing, or no way to tell.

    Docker is asked only if no process serves it, and matters only if a container does.
    """
    port = urlsplit(api).port or 80
    pids = await asyncio.to_thread(find_listeners, port)
    if pids and _command(pids[0]) != PORT_KEEPER:
        return ProcessService(*pids)
    reason = ""
    if shutil.which("docker"):
        try:
            listed = await _docker("ps", "--filter", f"publish={port}", "--format", "{{.Names}}")
        except NotThereError as error:
            if pids:
                raise
            reason = f" Containers cannot be seen: {error}"
        else:
            if names := listed.split():
                return ContainerService(names[0])
    raise NoServiceError(
        f"Nothing that can be seen from here serves {api}; start a stack with `grading up`.{reason}"
    )


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _variable(name: str, lines: list[str]) -> str:
    """Return the value of a variable in lines such as `NAME=value`."""
    return next((line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}=")), "")


async def _docker(*words: str, seconds: float | None = DOCKER_SECONDS) -> str:
    """Run docker and return what it prints; raises NotThereError where it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        "docker",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except TimeoutError:
        raise NotThereError(f"`docker {words[0]}` takes longer than {DOCKER_SECONDS:.0f} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        raise NotThereError(f"`docker {words[0]}` failed: {said[-1] if said else 'no message'}")
    return out.decode(errors="replace").strip()
