"""Sockets whose every event can be awaited, and Toxiproxy servers to put between them."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

from chaos.ports import free_port
from chaos.toxiproxy import ProxyHandle, command, find_server, wait_until_up
from tests import connections

LIMIT = 30.0
"""Seconds after which what should happen has not: far above anything but a hang."""

SOON = 5.0
"""Seconds within which happens what is not held up, on a busy machine too; what is held up takes longer here."""

Kind = Literal["embedded", "real"]
Ending = Literal["eof", "reset"]


class Peer:
    """One end of a TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> float:
        """Send everything; returns when that began."""
        began = self._loop.time()
        async with asyncio.timeout(LIMIT):
            await self._loop.sock_sendall(self.sock, data)
        return began

    async def some(self) -> bytes:
        """What comes next; empty at EOF."""
        async with asyncio.timeout(LIMIT):
            return await self._loop.sock_recv(self.sock, 65536)

    async def receive(self, size: int) -> bytes:
        """Exactly so many bytes."""
        data = bytearray()
        while len(data) < size:
            more = await self.some()
            assert more, f"EOF after {len(data)} of {size} bytes"
            data += more
        assert len(data) == size
        return bytes(data)

    async def rest(self) -> tuple[bytes, Ending]:
        """Everything until the end, and which end it was."""
        data = b""
        try:
            while more := await self.some():
                data += more
        except ConnectionResetError:
            return data, "reset"
        return data, "eof"

    async def ending(self) -> Ending:
        """How it ends, with nothing before that."""
        data, ending = await self.rest()
        assert data == b""
        return ending

    async def assert_quiet(self, seconds: float) -> None:
        """Neither data nor an end comes for a while."""
        try:
            async with asyncio.timeout(seconds):
                data = await self._loop.sock_recv(self.sock, 65536)
        except TimeoutError:
            return
        raise AssertionError(f"received {data!r}")

    def end_sending(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Upstream:
    """A server that hands out its connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self._peers: list[Peer] = []

    async def accept(self) -> Peer:
        async with asyncio.timeout(LIMIT):
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        self._peers.append(Peer(sock))
        return self._peers[-1]

    def accepted(self) -> Iterator[Peer]:
        """The connections that are there already."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._peers.append(Peer(self._listener.accept()[0]))
                yield self._peers[-1]

    async def connect(self, port: int) -> Peer:
        """A client's connection to a port on loopback; closed together with this upstream."""
        self._peers.append(await connect(port))
        return self._peers[-1]

    async def pair(self, proxy: ProxyHandle) -> tuple[Peer, Peer]:
        """A connection through a proxy to this upstream: the client's end and the server's."""
        return await self.connect(proxy.port), await self.accept()

    def close(self) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """A server that sends back what it gets; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async with connections.serving(serve) as port:
        yield f"127.0.0.1:{port}"


async def connect(port: int) -> Peer:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        async with asyncio.timeout(LIMIT):
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return Peer(sock)


async def refused(port: int) -> bool:
    """Whether nobody listens on a port of loopback."""
    try:
        peer = await connect(port)
    except ConnectionRefusedError:
        return True
    peer.close()
    return False


@dataclass(frozen=True)
class Server:
    """A running Toxiproxy server."""

    kind: Kind
    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running(kind: Kind, *, metrics: bool = False, seed: int | None = None) -> Iterator[Server]:
    """A server of that kind, in its own process, stopped by SIGTERM; the machine must have it."""
    binary = find_server() if kind == "real" else None
    for _ in range(5):
        port = free_port()
        with subprocess.Popen(
            command(port, binary=binary, metrics=metrics, seed=seed),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                asyncio.run(wait_until_up(f"http://127.0.0.1:{port}", LIMIT))
            except TimeoutError:  # somebody took the port
                continue
            else:
                yield Server(kind, f"http://127.0.0.1:{port}", process)
                return
            finally:
                process.terminate()
                process.communicate(timeout=LIMIT)
    raise AssertionError("no server would start")
