"""Instances in containers, on a network without a way out: for submissions that nobody has read."""

import asyncio
import contextlib
import functools
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from chaos.containers.enclave import Enclave, enclave
from chaos.containers.engine import Engine, EngineError
from chaos.containers.program import MOUNT, ContainerProgram
from chaos.toxiproxy import Toxiproxy, ToxiproxyError, check_bytes, wait_until_up
from grading.errors import MachineError
from grading.images import TOXIPROXY_IMAGE, Images
from grading.runtime import LOCALE, Announce, Runtime, instance_folder
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, is_alive

SIDE_BY_SIDE = 6
"""Experiments at once: every log line and start of a container is the engine's work too."""
LABEL: Final = "llm-grading.run"
"""Marks containers and networks with the folder of their run; once that run is dead, they are removed."""
MOUNTED: Final = Path(MOUNT)
PROXY_SECONDS: Final = 20.0
NOBODY: Final = 65532
"""The user of the services if the grader is root; otherwise it is the grader's own, which can do no more in there."""


@contextlib.asynccontextmanager
async def containers(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
) -> AsyncIterator[Runtime]:
    """Open the container runtime, as `OpenRuntime` says. The engine has to be on this machine."""
    try:
        async with Engine() as engine, contextlib.AsyncExitStack() as stack:
            await _sweep(engine)
            images = Images(engine, workspace, announce)
            lab, image = await images.lab(), await images.service(submission, start)
            labels = {LABEL: str(workspace.root)}
            announce("starting the lab")
            network = await stack.enter_async_context(_enclave(engine, lab, workspace, labels, seed))
            proxy = await stack.enter_async_context(Toxiproxy(network.control))

            def program() -> ContainerProgram:
                root = instance_folder(submission, workspace)
                return ContainerProgram(
                    engine=engine,
                    image=image,
                    argv=start.argv_in_image,
                    env=functools.partial(_environment, start),
                    root=root,
                    repository=root / "repository",
                    workdir=root / "repository" / start.cwd,
                    user=_give_away(root),
                    network=network.name,
                    labels=labels,
                )

            await _check(proxy, network)
            described = f"toxiproxy-server {await proxy.version()}, in containers"
            yield Runtime(proxy, described, network, program, workspace.root, side_by_side=SIDE_BY_SIDE)
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


def _environment(start: StartPlan, host: str, port: int) -> dict[str, str]:
    return {
        **LOCALE,
        "HOME": str(MOUNTED / "home"),
        "TMPDIR": str(MOUNTED / "tmp"),
        # The image knows no user of this number, whom getpass.getuser() would look for.
        "USER": "service",
        "LOGNAME": "service",
        "PYTHONUNBUFFERED": "1",
        **start.environment(MOUNTED / "repository", host, port),
    }


async def _check(proxy: Toxiproxy, inside: Enclave) -> None:
    """Raise MachineError if the enclave's fault proxy does not pass on every byte unchanged."""
    try:
        await check_bytes(proxy, inside)
    except (OSError, ToxiproxyError) as error:
        raise MachineError(
            f"There is no fault proxy to grade with: {error}; install another toxiproxy-server, or name another image"
            f" of it in {TOXIPROXY_IMAGE}."
        ) from error


def _give_away(root: Path) -> str:
    """Let the container's user have a folder and all in it; returns the user, with its group, by number."""
    if os.getuid():
        return f"{os.getuid()}:{os.getgid()}"
    os.chown(root, NOBODY, NOBODY)
    for path in root.rglob("*"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return f"{NOBODY}:{NOBODY}"


async def sweep() -> None:
    """Remove what graders that were killed have left in this machine's engine, if it answers."""
    with contextlib.suppress(EngineError):
        async with Engine() as engine:
            await _sweep(engine)


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
