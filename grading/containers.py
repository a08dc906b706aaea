"""Services in containers, on a network that nothing leads out of: for submissions that nobody has read."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from chaos.containers.enclave import Enclave, enclave
from chaos.containers.engine import Engine, EngineError
from chaos.containers.program import MOUNT, ContainerProgram
from chaos.toxiproxy import Toxiproxy, ToxiproxyError, check_bytes, wait_until_up
from grading.errors import MachineError
from grading.images import TOXIPROXY_IMAGE, Images
from grading.runtime import Premises, Stage, instance_folder
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, is_alive

LABEL: Final = "llm-grading.run"
"""Marks containers and networks with the folder of their run; once that run is dead, they are removed."""
PROXY_SECONDS: Final = 20.0
NOBODY: Final = 65532
"""Who services run as where the grader is root; else they run as the grader's user, which can do no more in there."""


@contextlib.asynccontextmanager
async def containers(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, stage: Stage
) -> AsyncIterator[Premises]:
    """The container runtime, as `Runtime` has it. The engine has to be on this machine."""
    try:
        async with Engine() as engine, contextlib.AsyncExitStack() as stack:
            await _sweep(engine)
            images = Images(engine, workspace, stage)
            lab, service = await images.lab(), await images.service(submission, start)
            labels = {LABEL: str(workspace.root)}
            stage("starting the lab")
            inside = await stack.enter_async_context(_enclave(engine, lab, workspace, labels, seed))
            proxy = await stack.enter_async_context(Toxiproxy(inside.control))
            await _check(proxy, inside)
            launcher = _Launcher(submission, start, workspace, _Place(engine, service, inside, labels))
            name = f"toxiproxy-server {await proxy.version()}, in containers"
            yield Premises(proxy, name, inside, launcher.program)
    except EngineError as error:
        raise MachineError(f"Docker failed: {error}; see that `docker info` works.") from error


@contextlib.asynccontextmanager
async def _enclave(
    engine: Engine, image: str, workspace: Workspace, labels: Mapping[str, str], seed: int
) -> AsyncIterator[Enclave]:
    """An enclave whose fault proxy is up. Raises MachineError."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            made = enclave(engine, image, workspace.folder("lab"), labels, seed=seed)
            inside = await stack.enter_async_context(made)
            await wait_until_up(inside.control, timeout=PROXY_SECONDS)
        except OSError as error:  # TimeoutError is one
            raise MachineError(f"The lab's container did not start: {error}; try again.") from error
        yield inside


async def _check(proxy: Toxiproxy, inside: Enclave) -> None:
    """Raise MachineError if the enclave's fault proxy does not pass on every byte unchanged."""
    try:
        await check_bytes(proxy, inside)
    except (OSError, ToxiproxyError) as error:
        raise MachineError(
            f"There is no fault proxy to grade with: {error}; install another toxiproxy-server, or name another image"
            f" of it in {TOXIPROXY_IMAGE}."
        ) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where containers of a run start, and from which image."""

    engine: Engine
    image: str
    inside: Enclave
    labels: Mapping[str, str]


class _Launcher:
    """Makes instances of a submission's service, each with its own copy, home and temporary folder."""

    def __init__(self, submission: Submission, start: StartPlan, workspace: Workspace, place: _Place) -> None:
        self._submission = submission
        self._start = start
        self._workspace = workspace
        self._place = place

    def program(self, name: str) -> ContainerProgram:
        """Make the instance for the experiment `name`."""
        root = instance_folder(self._submission, self._workspace, name)
        user = _give_away(root)
        mount = PurePosixPath(MOUNT)
        return ContainerProgram(
            engine=self._place.engine,
            image=self._place.image,
            argv=self._start.argv_in_image,
            env=lambda host, port: {
                "LANG": "C.UTF-8",
                "HOME": str(mount / "home"),
                "TMPDIR": str(mount / "tmp"),
                "PYTHONUNBUFFERED": "1",
                **self._start.environment(Path(mount / "repository"), host, port),
            },
            root=root,
            repository=root / "repository",
            cwd=str(mount / "repository" / self._start.cwd),
            user=user,
            network=self._place.inside.name,
            labels=self._place.labels,
        )


def _give_away(root: Path) -> str:
    """Let the container's user have a folder and all in it; returns the user, with its group, by number."""
    if os.getuid():
        return f"{os.getuid()}:{os.getgid()}"
    os.chown(root, NOBODY, NOBODY)
    for path in root.rglob("*"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return f"{NOBODY}:{NOBODY}"


async def _sweep(engine: Engine) -> None:
    """Remove what graders that were killed have left in the engine, containers before their networks."""
    marked = json.dumps({"label": [LABEL]})
    for container in await engine.call("GET", "/containers/json", all="true", filters=marked):
        if not await _lives(container["Labels"][LABEL]):
            await _remove(engine, f"/containers/{container['Id']}?force=true&v=true")
    for network in await engine.call("GET", "/networks", filters=marked):
        if not await _lives(network["Labels"][LABEL]):
            await _remove(engine, f"/networks/{network['Id']}")


async def _lives(root: str) -> bool:
    return await asyncio.to_thread(is_alive, Path(root))


async def _remove(engine: Engine, path: str) -> None:
    with contextlib.suppress(EngineError):  # another grader sweeps too
        await engine.call("DELETE", path)
