"""Instances in boxes of their own, on a network that nothing leads out of: for submissions that nobody has read."""

import contextlib
import itertools
import json
import mmap
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.door import NetworkBehindDoor, knock
from chaos.history import Log
from chaos.network import LOOPBACK_ADDRESS
from chaos.process import Process
from chaos.recorder import Recorder
from chaos.sandbox import nest
from chaos.sandbox.bubblewrap import (
    Box,
    find_bubblewrap,
    interpreter_folders,
    links_on_the_way,
    write_settings,
)
from chaos.sandbox.disk import MOST_BYTES, MOST_ENTRIES, make_disk
from chaos.sandbox.probe import sandbox_refusal
from chaos.sandbox.program import SandboxProgram
from chaos.toxiproxy import Toxiproxy, ToxiproxyError, check_bytes, command, find_server, wait_until_up
from grading.environment import prepare
from grading.errors import MachineError
from grading.install_box import InstallBox
from grading.node import find_node
from grading.processes import add_packages, base_environment, program_in
from grading.runtime import Announce, Runtime, fill
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, cache_folder

CONTROL_PORT: Final = 8474
FIRST_PORT: Final = 20_000
SOURCES: Final = 120
"""Addresses for the lab's clients: each has to stay below a service's rate limit."""
START_SECONDS: Final = 20.0
PAGE: Final = mmap.PAGESIZE


@dataclass(frozen=True, slots=True)
class Nest(NetworkBehindDoor):
    """The lab's end of the sandbox's networks. The process `services` holds the services' one, which has another address."""

    services: int
    address_of_services: str

    def make_disk(self, folder: Path, submission: Submission) -> Path:
        """Make a disk with room for a copy of the submission; returns where the grader sees it. Raises MachineError."""
        files = [path.lstat() for path in submission.root.rglob("*")]
        taken = sum(-(-one.st_size // PAGE) * PAGE for one in files)
        try:
            return make_disk(
                self.services, folder, size=taken + MOST_BYTES, entries=len(files) + MOST_ENTRIES
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MachineError(f"The sandbox has no disk: {error}.") from error


@contextlib.asynccontextmanager
async def sandbox(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
) -> AsyncIterator[Runtime]:
    """Open the sandbox runtime, as `OpenRuntime` says."""
    bubblewrap = find_bubblewrap()
    if why := sandbox_refusal():
        raise MachineError(
            f"There is no sandbox to grade in: {why}; see `grading doctor`, or choose another --runtime."
        )
    assert bubblewrap
    announce("installing its dependencies")
    settings = workspace.folder("settings")
    write_settings(settings)
    box = InstallBox(bubblewrap, settings, workspace, cache_folder() / "uv")
    venv = await prepare(submission, start, cache_folder(), announce, box)
    python = venv / "bin" / "python"
    readable = (venv.parent, *interpreter_folders(python))
    if start.requirements.node is not None:
        readable += find_node().folders
    links = tuple(links_on_the_way(python))
    ports = itertools.count(FIRST_PORT)
    async with contextlib.AsyncExitStack() as stack:
        inside = await stack.enter_async_context(nest_of(workspace, seed=seed))
        relayed = await stack.enter_async_context(inside.door.relay(CONTROL_PORT))
        try:
            url = f"http://{LOOPBACK_ADDRESS}:{relayed}"
            await wait_until_up(url, timeout=START_SECONDS)
            proxy = await stack.enter_async_context(Toxiproxy(url))
            version = await proxy.version()
            await check_bytes(proxy, inside)
        except (OSError, ToxiproxyError) as error:
            raise MachineError(f"There is no fault proxy to grade with: {error}.") from error

        def program() -> SandboxProgram:
            folder = workspace.folder("instance")
            root = inside.make_disk(folder, submission)
            fill(root, submission)
            add_packages(root / "repository", start, venv)
            plain = program_in(folder, start, venv, workspace)
            return SandboxProgram(
                argv=plain.argv,
                env=plain.env,
                python=plain.python,
                root=root,
                repository=root / "repository",
                workdir=root / "repository" / start.cwd,
                package=None if plain.package is None else root / plain.package.relative_to(folder),
                folder=folder,
                box=Box(bubblewrap, settings, readable, (folder,), links),
                services=inside.services,
                address=inside.address_of_services,
                ports=ports,
            )

        real = find_server()
        described = f"toxiproxy-server {version}" if real else "embedded Toxiproxy"
        yield Runtime(proxy, f"{described}, in a sandbox", inside, program, workspace.root)


@contextlib.asynccontextmanager
async def nest_of(workspace: Workspace, *, seed: int) -> AsyncIterator[Nest]:
    """Run the process that makes the networks. Raises MachineError where it may not."""
    folder = workspace.folder("nest")
    recorder = Recorder()
    proxy = command(CONTROL_PORT, binary=find_server(), host=LOOPBACK_ADDRESS, seed=seed)
    argv = [sys.executable, "-m", "chaos.sandbox.nest", str(folder), str(SOURCES), *proxy]
    env = base_environment(workspace)
    async with contextlib.AsyncExitStack() as stack:
        process = await stack.enter_async_context(
            await Process.start(argv, cwd=Path("/"), env=env, recorder=recorder)
        )
        try:
            door = await stack.enter_async_context(knock(folder / nest.DOOR, seconds=START_SECONDS))
        except OSError as error:
            await process.close()
            said = " ".join(line.text for line in recorder.history().of(Log)[-1:])
            raise MachineError(f"The sandbox's network could not be made: {said or error}.") from error
        facts = json.loads((folder / nest.FACTS).read_text(encoding="utf-8"))
        yield Nest(tuple(facts["addresses"]), door, facts["services"], facts["address"])
