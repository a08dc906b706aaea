"""A TCP port in front of a real server that listens on a socket in the file system.

So the server runs beside a lab whose network is that of containers, and its connections are recorded.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Self

from chaos.history import Connection, Upstream
from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.recorder import Recorder
from chaos.unix_socket import open_unix

CHUNK_BYTES = 64 * 1024


class Relay:
    """Passes on connections to `port` of 127.0.0.1, any free one for 0, to `socket` while its context is entered.

    Connections are recorded as they come and go, under the upstream `name`.
    """

    def __init__(
        self, socket: Path, recorder: Recorder, *, name: Upstream, port: int = 0, network: Network = LOOPBACK
    ) -> None:
        self.port = port
        self._socket = socket
        self._recorder = recorder
        self._name = name
        self._network = network
        self._count = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        listener = self._network.socket()
        listener.bind((LOOPBACK_ADDRESS, self.port))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._begin, sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        if connections:
            await asyncio.wait(connections)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: before Python 3.12, asyncio's stream server complains when its task is cancelled.
        self._count += 1
        connection = asyncio.create_task(self._pass_on(self._count, reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._recorder.record(Connection(upstream=self._name, connection=number, state="opened"))
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            inner_reader, inner_writer = await open_unix(self._socket)
            with contextlib.closing(inner_writer):
                answers = asyncio.create_task(_answer(inner_reader, writer))
                try:
                    reset = await _pump(reader, inner_writer)
                finally:
                    answers.cancel()
                    await asyncio.wait([answers])
            self._recorder.record(
                Connection(upstream=self._name, connection=number, state="reset" if reset else "eof")
            )


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what the server says; where it hangs up first, the client is told."""
    await _pump(reader, writer)
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Pass bytes on until the end; whether that was a reset."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return True
    return False
