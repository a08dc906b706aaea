"""A network that nothing leads out of, with the lab's container and the fault proxy on it.

    the grader's process ---- fd 0..n: sockets made in ----+
                                                           v
    [ service ] --- internal network, no address of the host's --- [ lab: doorway, toxiproxy-server ]

On the lab's address there are the fault proxies alone. The stand-ins behind them and Toxiproxy's control API listen on
127.0.0.1 in the lab's container, where no service gets to.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.containers import doorway
from chaos.containers.engine import Engine, EngineError
from chaos.door import NetworkBehindDoor, knock
from chaos.network import LOOPBACK_ADDRESS

SOURCES: Final = 120
"""Addresses for the lab's clients: each has to stay below a service's rate limit."""
START_SECONDS: Final = 60.0
_OPTIONS: Final = {
    # The host gets no address on the bridge: to a container it is not there.
    "com.docker.network.bridge.inhibit_ipv4": "true",
    "com.docker.network.bridge.enable_icc": "true",
}


@dataclass(frozen=True, slots=True)
class Enclave(NetworkBehindDoor):
    """A network of containers with the name that the engine has for it, and the control API's URL."""

    name: str
    control: str


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
        door = await stack.enter_async_context(knock(folder / doorway.DOOR, seconds=START_SECONDS))
        addresses = tuple(json.loads((folder / doorway.ADDRESSES).read_text(encoding="utf-8")))
        port = await stack.enter_async_context(door.relay(doorway.CONTROL_PORT))
        yield Enclave(addresses, door, network, f"http://{LOOPBACK_ADDRESS}:{port}")


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
