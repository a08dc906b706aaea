"""Sockets that are made in another network and used here: what listens at a door hands them out.

A socket belongs to the network that it was made in, whoever uses it. So the lab's clients, stand-ins and measurements run
in the grader's own process, and yet are where the service is.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.network import LOOPBACK_ADDRESS
from chaos.unix_socket import short_path

SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Door:
    """A connection to what hands out sockets of another network."""

    connection: socket.socket

    def socket(self) -> socket.socket:
        """Return a new TCP socket that was made there. Raises OSError where nobody is behind the door any more."""
        try:
            self.connection.sendall(b".")
            _, descriptors, _, _ = socket.recv_fds(self.connection, 1, 1)
        except TimeoutError:
            self.connection.close()  # whoever asks again is not to wait again
            raise
        if not descriptors:
            raise OSError("nobody is behind the door")
        return socket.socket(fileno=descriptors[0])

    @contextlib.asynccontextmanager
    async def relay(self, port: int) -> AsyncIterator[int]:
        """Lead a port of this machine's loopback to one of the other network's; yields its number."""

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError), contextlib.closing(writer):
                there, back = await self._connect(port)
                with contextlib.closing(back):
                    await asyncio.wait(
                        [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))],
                        return_when=asyncio.FIRST_COMPLETED,
                    )

        server = await asyncio.start_server(lead, LOOPBACK_ADDRESS, 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port of the other network's loopback; raises OSError where nobody listens."""
        connecting = self.socket()
        try:
            connecting.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connecting, (LOOPBACK_ADDRESS, port))
            return await asyncio.open_connection(sock=connecting)
        except BaseException:
            connecting.close()
            raise


@dataclass(frozen=True, slots=True)
class NetworkBehindDoor:
    """A `Network` (see chaos.network) behind a door: the first address is the lab's, the others its clients'."""

    addresses: tuple[str, ...]
    door: Door

    @property
    def address(self) -> str:
        return self.addresses[0]

    def sources(self) -> Iterator[str]:
        return itertools.cycle(self.addresses[1:])

    def socket(self) -> socket.socket:
        return self.door.socket()


@contextlib.asynccontextmanager
async def knock(path: Path, *, seconds: float) -> AsyncIterator[Door]:
    """Open the door at `path`, once it is there. Raises OSError where it is not within so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (connection := _connected(path)) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise OSError(f"nothing opened the door within {seconds:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
    with connection:
        yield Door(connection)


def _connected(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    with short_path(path) as short:
        try:
            connection.connect(str(short))
        except OSError:
            connection.close()
            return None
    return connection


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
