"""What a box costs per instance: the time from starting a service to its first answer, as a process and in a box, in turns.

    python benchmarks/sandbox_cost.py [--runs N]

The service needs the standard library alone, so that what is measured is the start and not its imports. Each run starts one
instance of either kind; the order alternates. Exits with 1 where the medians differ by more than the limit.
"""

import argparse
import asyncio
import contextlib
import itertools
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from chaos.network import LOOPBACK, Network
from chaos.program import ProcessProgram, Program
from chaos.recorder import Recorder
from chaos.sandbox.bubblewrap import Box, find_bubblewrap, interpreter_folders, write_settings
from chaos.sandbox.program import SandboxProgram
from grading.runtime import fill
from grading.sandbox import FIRST_PORT, nest_of
from grading.submission import Submission
from grading.workspace import Workspace

LIMIT_MS = 30.0
POLL_SECONDS = 0.0005
SERVICE = """
import os, socket
server = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
while True:
    server.accept()[0].close()
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    times = asyncio.run(measure(runs))
    print(f"{runs} starts of each kind, in turns; milliseconds to the first connection")
    print(f"{'':10}{'min':>9}{'median':>9}{'max':>9}")
    for name, values in times.items():
        print(f"{name:10}{min(values):9.1f}{median(values):9.1f}{max(values):9.1f}")
    more = median(times["sandbox"]) - median(times["process"])
    print(f"a box costs {more:.1f} ms; the limit is {LIMIT_MS:.0f}")
    sys.exit(more > LIMIT_MS)


async def measure(runs: int) -> dict[str, list[float]]:
    """Return the times of either kind, in milliseconds."""
    times: dict[str, list[float]] = {"process": [], "sandbox": []}
    with Workspace.open(Path(tempfile.gettempdir())) as workspace:
        async with nest_of(workspace, seed=1) as nest:
            files = workspace.folder("files")
            submission = Submission("files", "files", files)
            folder = workspace.folder("instance")
            root = nest.make_disk(folder, submission)
            fill(root, submission)
            settings = workspace.folder("settings")
            write_settings(settings)
            bubblewrap = find_bubblewrap()
            assert bubblewrap
            python = Path(sys.executable)
            box = Box(bubblewrap, settings, (Path(sys.prefix), *interpreter_folders(python)), (folder,))
            boxed = SandboxProgram(
                argv=_argv, env=_env, python=python, root=root, repository=root, workdir=root, folder=folder,
                box=box, services=nest.services, address=nest.address_of_services,
                ports=itertools.count(FIRST_PORT),
            )  # fmt: skip
            plain = ProcessProgram(_argv, _env, python, files, files, files)
            kinds: dict[str, tuple[Program, Network]] = {
                "process": (plain, LOOPBACK),
                "sandbox": (boxed, nest),
            }
            for number in range(2 * runs + 2):
                order = list(kinds) if number // 2 % 2 else list(reversed(kinds))
                name = order[number % 2]
                took = await start(*kinds[name])
                if number > 1:  # the first of each kind reads from the disk
                    times[name].append(1000 * took)
    return times


async def start(program: Program, network: Network) -> float:
    """Return the seconds from starting an instance to the first connection to it."""
    began = time.perf_counter()
    service, host, port = await program.start({}, instance="service", recorder=Recorder())
    async with service:
        while not await _accepts(network, host, port):  # noqa: ASYNC110 - another process has no event to await
            await asyncio.sleep(POLL_SECONDS)
        return time.perf_counter() - began


async def _accepts(network: Network, host: str, port: int) -> bool:
    with network.socket() as client:
        client.setblocking(False)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_connect(client, (host, port))
            return True
    return False


def _argv(_host: str, _port: int) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", SERVICE]


def _env(host: str, port: int) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOST": host, "PORT": str(port)}


if __name__ == "__main__":
    main()
