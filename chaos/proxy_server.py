"""A Toxiproxy server of the lab's own, running from entering to leaving a context."""

import asyncio
import contextlib
import platform
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.history import Log
from chaos.ports import free_port
from chaos.process import Process
from chaos.recorder import Recorder
from chaos.toxiproxy import Toxiproxy, check_bytes, command, find_server, wait_until_up

HOST = "127.0.0.1"
START_SECONDS = 20.0
TRIES = 3


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """A running server: its client, and what it is, for the report."""

    client: Toxiproxy
    name: str


@contextlib.asynccontextmanager
async def proxy_server(*, seed: int, env: Mapping[str, str]) -> AsyncIterator[ProxyServer]:
    """Run the real toxiproxy-server where there is one, else the embedded one.

    Raises OSError if it does not come up, or does not pass on every byte unchanged.
    """
    real = find_server()
    for attempt in range(1, TRIES + 1):
        port = free_port(HOST)
        recorder = Recorder()
        argv = command(port, binary=real, host=HOST, seed=seed)
        async with await Process.start(argv, cwd=Path("/"), env=env, recorder=recorder) as process:
            url = f"http://{HOST}:{port}"
            if not await _comes_up(process, url):
                if attempt < TRIES and not process.running:
                    continue
                lines = " ".join(event.text for event in recorder.history().of(Log)[-3:])
                raise OSError(f"the fault proxy did not start: {lines or argv[0]}")
            async with Toxiproxy(url) as client:
                version = await client.version()
                await _check(client, real)
                yield ProxyServer(client, f"toxiproxy-server {version}" if real else "embedded Toxiproxy")
            return


async def _check(client: Toxiproxy, real: Path | None) -> None:
    advice = (
        f"install another toxiproxy-server than {real}"
        if real
        else (
            f"install toxiproxy-server, or run the grader on another Python than {platform.python_version()}"
        )
    )
    try:
        await check_bytes(client)
    except OSError as error:
        raise OSError(f"{error}; {advice}") from error


async def _comes_up(process: Process, url: str) -> bool:
    """Wait for the first answer at `url`; whether it came, with the process still there."""
    answer = asyncio.create_task(wait_until_up(url, timeout=START_SECONDS))
    either: tuple[asyncio.Future[Any], ...] = (answer, process.exited)
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    answer.cancel()
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        await answer
        return process.running
    return False
