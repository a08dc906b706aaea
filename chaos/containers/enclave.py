"""A network that nothing leads out of, with the lab's container and the fault proxy on it.

    the grader's process ---- fd 0..n: sockets made in ----+
                                                           v
    [ service ] --- internal network, no address of the host's --- [ lab: doorway, toxiproxy-server ]

On the lab's address there are the fault proxies alone. The stand-ins behind them and Toxiproxy's control API listen on
127.0.0.1 in the lab's container, where no service gets to.
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.containers import doorway
from chaos.containers.engine import Engine, EngineError
from chaos.network import LOOPBACK_ADDRESS

SOURCES: Final = 120
"""Addresses for the lab's clients: each has to stay below a service's rate limit."""
START_SECONDS: Final = 60.0
DOOR_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05
_OPTIONS: Final = {
    # The host gets no address on the bridge: to a container it is not there.
    "com.docker.network.bridge.inhibit_ipv4": "true",
    "com.docker.network.bridge.enable_icc": "true",
}


@dataclass(frozen=True, slots=True)
class Enclave:
    """A `Network` (see chaos.network) with the name that the engine has for it, and the control API's URL."""

    name: str
    control: str
    addresses: tuple[str, ...]
    door: socket.socket

    @property
    def address(self) -> str:
        return self.addresses[0]

    def sources(self) -> Iterator[str]:
        return itertools.cycle(self.addresses[1:])

    def socket(self) -> socket.socket:
        return _through(self.door)


@contextlib.asynccontextmanager
async def enclave(
    engine: Engine, image: str, folder: Path, labels: Mapping[str, str], *, seed: int
) -> AsyncIterator[Enclave]:
    """Make a network and the lab's container of `image` on it, and remove both at the end.

    `folder` is the lab's own and empty. Raises EngineError, and OSError where the lab's container does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        made = await engine.call(
            "POST",
            "/networks/create",
            {
                "Name": f"llm-grading-{folder.parent.name}",
                "Internal": True,
                "Options": _OPTIONS,
                "Labels": dict(labels),
            },
        )
        network = made["Id"]
        stack.push_async_callback(_remove, engine, f"/networks/{network}")
        lab = await engine.call("POST", "/containers/create", _lab(image, folder, network, labels, seed))
        stack.push_async_callback(_remove, engine, f"/containers/{lab['Id']}?force=true&v=true")
        await engine.call("POST", f"/containers/{lab['Id']}/start")
        door = stack.enter_context(await _knock(folder))
        addresses = tuple(json.loads((folder / doorway.ADDRESSES).read_text(encoding="utf-8")))
        control = await stack.enter_async_context(_relay(door))
        yield Enclave(network, control, addresses, door)


def _lab(
    image: str, folder: Path, network: str, labels: Mapping[str, str], seed: int
) -> Mapping[str, object]:
    return {
        "Image": image,
        "Cmd": [str(SOURCES), str(seed)],
        "Labels": dict(labels),
        "HostConfig": {
            "NetworkMode": network,
            "Binds": [f"{folder}:{doorway.FOLDER}"],
            "Init": True,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN", "DAC_OVERRIDE"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": 512 * 2**20,
        },
    }


async def _remove(engine: Engine, path: str) -> None:
    with contextlib.suppress(EngineError):  # the next run's sweep removes what cannot be removed now
        await engine.call("DELETE", path)


async def _knock(folder: Path) -> socket.socket:
    """Return a connection to the doorway, once it is there."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while (door := _connected(folder)) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise OSError("the lab's container did not open its door")
        await asyncio.sleep(POLL_SECONDS)
    return door


def _connected(folder: Path) -> socket.socket | None:
    knocking = socket.socket(socket.AF_UNIX)
    knocking.settimeout(DOOR_SECONDS)
    # A socket's path has to be short, and a folder's may be long.
    short = os.open(folder, os.O_PATH)
    try:
        knocking.connect(f"/proc/self/fd/{short}/{doorway.DOOR}")
    except OSError:
        knocking.close()
        return None
    finally:
        os.close(short)
    return knocking


def _through(door: socket.socket) -> socket.socket:
    door.sendall(b".")
    _, descriptors, _, _ = socket.recv_fds(door, 1, 1)
    if not descriptors:
        raise OSError("the lab's container is gone")
    return socket.socket(fileno=descriptors[0])


@contextlib.asynccontextmanager
async def _relay(door: socket.socket) -> AsyncIterator[str]:
    """Lead a port of this machine's loopback to Toxiproxy's control API; yields its URL."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            inner = _through(door)
            inner.setblocking(False)
            await asyncio.get_running_loop().sock_connect(inner, (LOOPBACK_ADDRESS, doorway.CONTROL_PORT))
            there, back = await asyncio.open_connection(sock=inner)
            with contextlib.closing(back):
                await asyncio.wait(
                    [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))],
                    return_when=asyncio.FIRST_COMPLETED,
                )

    server = await asyncio.start_server(lead, LOOPBACK_ADDRESS, 0)
    async with server:
        yield f"http://{LOOPBACK_ADDRESS}:{server.sockets[0].getsockname()[1]}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
