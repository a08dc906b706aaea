"""Instances in boxes of their own, on a network that nothing leads out of: for submissions that nobody has read."""

import contextlib
import itertools
import json
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
from chaos.sandbox.bubblewrap import Box, find_bubblewrap, interpreter_folders, refusal, write_settings
from chaos.sandbox.program import SandboxProgram
from chaos.toxiproxy import Toxiproxy, ToxiproxyError, check_bytes, command, find_server, wait_until_up
from grading.environment import prepare
from grading.errors import MachineError
from grading.processes import base_environment, make_program
from grading.runtime import Announce, Runtime
from grading.start import StartPlan
from grading.submission import Submission
from grading.workspace import Workspace, cache_folder

CONTROL_PORT: Final = 8474
FIRST_PORT: Final = 20_000
SOURCES: Final = 120
"""Addresses for the lab's clients: each has to stay below a service's rate limit."""
START_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Nest(NetworkBehindDoor):
    """The lab's end of the sandbox's networks. The process `services` holds the services' one, which has another address."""

    services: int
    address_of_services: str


@contextlib.asynccontextmanager
async def sandbox(
    submission: Submission, start: StartPlan, workspace: Workspace, *, seed: int, announce: Announce
) -> AsyncIterator[Runtime]:
    """Open the sandbox runtime, as `OpenRuntime` says."""
    bubblewrap = find_bubblewrap()
    if why := refusal(bubblewrap):
        raise MachineError(f"There is no box to grade in: {why}; or choose another --runtime.")
    assert bubblewrap
    announce("installing its dependencies")
    venv = await prepare(submission, start, cache_folder(), announce)
    settings = workspace.folder("settings")
    write_settings(settings)
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
            plain = make_program(submission, start, venv, workspace)
            return SandboxProgram(
                argv=plain.argv,
                env=plain.env,
                python=plain.python,
                root=plain.root,
                repository=plain.repository,
                workdir=plain.workdir,
                box=Box(
                    bubblewrap, settings, (venv.parent, *interpreter_folders(plain.python)), (plain.root,)
                ),
                services=inside.services,
                address=inside.address_of_services,
                ports=ports,
            )

        real = find_server()
        described = f"toxiproxy-server {version}" if real else "embedded Toxiproxy"
        yield Runtime(proxy, f"{described}, in a sandbox", inside, program)


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
