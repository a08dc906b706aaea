"""Restarting instances in turn behind a balancer, as docs/DEPLOYMENT.md says, while callers ask."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.api.load import Callers

MOST_RATE = 20.0
"""Requests a second; a third of them are streams."""
PEAK_SECONDS = 5.0
NOTICE_SECONDS = 2.0
"""From leaving the rotation to the signal, for connections that were handed on and are not read yet."""
BETWEEN_SECONDS = 3.0


async def choose_rate(callers: Callers) -> float:
    """MOST_RATE, or half of what the service can do here if that is less."""
    await callers.saturate(PEAK_SECONDS)  # a gateway's first answers take seconds
    return min(MOST_RATE, await callers.saturate(PEAK_SECONDS) / 2)


@dataclass
class Balancer:
    """Hands each connection to the next instance in rotation that takes it. Instances are known by their ports."""

    rotation: list[int] = field(default_factory=list)

    def put_in(self, port: int) -> None:
        self.rotation.append(port)

    def take_out(self, port: int) -> None:
        """Hand no more connections to an instance; those that it has, it keeps."""
        self.rotation.remove(port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection to its end."""
        for _ in range(len(self.rotation)):
            port = self.rotation.pop(0)
            self.rotation.append(port)
            with contextlib.suppress(ConnectionError):
                instance_reader, instance_writer = await asyncio.open_connection("127.0.0.1", port)
                break
        else:
            return
        asking = asyncio.create_task(_pass_on(reader, instance_writer))
        try:
            await _pass_on(instance_reader, writer)
        finally:
            # First of all: who ends the balancer cancels this as well, while it waits.
            instance_writer.close()
            asking.cancel()
            await asyncio.wait([asking])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def restart_in_turn(
    callers: Callers, balancer: Balancer, restart: Callable[[int], Awaitable[int]], *, rate: float
) -> None:
    """Take each instance out of the rotation, restart it, and put it in again. `restart` returns its new port."""
    async with callers.asking(rate):
        for port in tuple(balancer.rotation):
            await asyncio.sleep(BETWEEN_SECONDS)
            balancer.take_out(port)
            await asyncio.sleep(NOTICE_SECONDS)
            balancer.put_in(await restart(port))
        await asyncio.sleep(BETWEEN_SECONDS)
