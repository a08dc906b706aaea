"""Which Toxiproxy server to start, and how.

Starting the process is the caller's business: run `command(...)`, then await `wait_until_up`.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from chaos.toxiproxy.client import Toxiproxy
from chaos.toxiproxy.errors import ToxiproxyError

SERVER_VARIABLE: Final = "TOXIPROXY_SERVER"
"""Names the real server's binary where it is not `toxiproxy-server` on PATH; `go install` calls it `server`."""

PROBE_SECONDS: Final = 0.02


def find_server() -> Path | None:
    """A real Toxiproxy server on this machine, or None.

    Raises FileNotFoundError where `TOXIPROXY_SERVER` is set to what cannot be run.
    """
    if named := os.environ.get(SERVER_VARIABLE):
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(f"{SERVER_VARIABLE}={named} is no program")
        return Path(found)
    found = shutil.which("toxiproxy-server")
    return Path(found) if found else None


def command(
    port: int,
    *,
    binary: Path | None = None,
    host: str = "127.0.0.1",
    seed: int | None = None,
    metrics: bool = False,
) -> list[str]:
    """The command line of the real server `binary`, or of the embedded one if None, with its API on `port`.

    The real server takes no port 0, and a seed only for show; the embedded one says on stdout where it listens.
    """
    program = [str(binary)] if binary else [sys.executable, "-m", "chaos.toxiproxy_server"]
    options = ["-host", host, "-port", str(port)]
    if seed is not None:
        options += ["-seed", str(seed)]
    if metrics:
        options.append("-proxy-metrics")
    return program + options


async def wait_until_up(url: str, timeout: float) -> None:
    """Return once the server's control API at `url` answers; raises TimeoutError after `timeout` seconds.

    It asks for the proxies: a server whose control plane is locked up still tells its version.
    """
    async with Toxiproxy(url, timeout=timeout) as server:
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        await server.proxies()
                    except ToxiproxyError:
                        await asyncio.sleep(PROBE_SECONDS)
                    else:
                        return
        except TimeoutError as exc:
            raise TimeoutError(f"no Toxiproxy at {url} within {timeout:g} s") from exc
