"""A forward proxy that leads to package indexes and nowhere else, for what installs a submission in a box."""

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Final

from grading.client_hello import read_record, server_name
from grading.node import registry

HOSTS_VARIABLE: Final = "GRADING_INDEX_HOSTS"
"""Names further hosts, separated by commas, that installations may reach, such as those of another index."""
PYPI: Final = "pypi.org"
_FILES: Final = {PYPI: "files.pythonhosted.org", "test.pypi.org": "test-files.pythonhosted.org"}
"""Where an index keeps its files, if not at its own host."""
_DEFAULT_INDEX: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_INDEXES: Final = (*_DEFAULT_INDEX, "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_URL: Final = re.compile(r"https?://[^\s\"',]+")
_PORTS: Final = {"http": 80, "https": 443}
_HEAD_BYTES: Final = 32 * 1024
_HEAD_SECONDS: Final = 30.0
_MOST_CONNECTIONS: Final = 100
_BROKEN: Final = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
_MOST_NOTED: Final = 10
_DOOR: Final = "door"

Address = tuple[str, int]


def index_addresses(variables: Mapping[str, str], settings: str = "") -> frozenset[Address]:
    """Return the hosts, with ports, of the indexes that uv's variables and settings (the text of a uv.toml) name.

    npm's registry is one of them.
    """
    urls = [url for name in _INDEXES for url in _URL.findall(variables.get(name, ""))]
    urls += [*_URL.findall(settings), registry(variables)]
    if not any(variables.get(name) for name in _DEFAULT_INDEX):
        urls.append(f"https://{PYPI}")
    found = {address for url in urls if (address := _address(url))}
    found |= {(host, 443) for host in re.split(r"[\s,]+", variables.get(HOSTS_VARIABLE, "")) if host}
    return frozenset(found | {(_FILES[host], port) for host, port in found if host in _FILES})


def _address(url: str) -> Address | None:
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(url)
        if parts.hostname:
            return parts.hostname, parts.port or _PORTS[parts.scheme]
    return None


class IndexProxy:
    """Leads to `allowed` addresses, and remembers the hosts that it `refused` and those that it could not reach.

    It goes through the HTTP proxy that this machine's own environment names, if any.
    """

    def __init__(self, allowed: Collection[Address]) -> None:
        self.refused: list[str] = []
        self.unreached: list[str] = []
        self._allowed = allowed
        self._places = asyncio.Semaphore(_MOST_CONNECTIONS)

    @contextlib.asynccontextmanager
    async def at(self, folder: Path) -> AsyncIterator[Path]:
        """Wait at a Unix socket in `folder` for the sockets of boxes (see chaos.sandbox.outlet), and answer at each."""
        async with contextlib.AsyncExitStack() as stack:
            descriptor = os.open(folder, os.O_PATH)  # a socket's path has to be short
            stack.callback(os.close, descriptor)
            door = stack.enter_context(socket.socket(socket.AF_UNIX))
            door.bind(f"/proc/self/fd/{descriptor}/{_DOOR}")
            door.listen()
            door.setblocking(False)
            waiting = asyncio.create_task(self._take(door))
            try:
                yield folder / _DOOR
            finally:
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting

    async def _take(self, door: socket.socket) -> None:
        """Answer at every socket that is handed over."""
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            while True:
                connection, _ = await loop.sock_accept(door)
                with connection:
                    connection.setblocking(True)
                    _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, connection, 1, 1)
                for one in descriptors:
                    server = await asyncio.start_server(self._answer, sock=socket.socket(fileno=one))
                    stack.callback(server.close)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(*_BROKEN):
            if self._places.locked():  # each takes descriptors of the grader's
                return
            async with self._places:
                await self._answer_one(reader, writer)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        tunnel = method == "CONNECT"
        address = _address(f"https://{target}" if tunnel else target)
        if address is None or address not in self._allowed or not (tunnel or target.startswith("http://")):
            _note(self.refused, address[0] if address else target)
            await _say(writer, b"403 Not a package index")
            return
        await self._lead(address, None if tunnel else head, reader, writer)

    async def _lead(
        self,
        address: Address,
        request: bytes | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Connect both ends: for a plain `request` after passing it on, else after saying that the tunnel is there."""
        try:
            there_reader, there = await _open(address)
        except OSError:
            _note(self.unreached, address[0])
            await _say(writer, b"502 Index not reached")
            return
        with contextlib.closing(there):
            if request is None:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                there.write(await self._hello(address[0], reader))
                both = [_pump(reader, there), _pump(there_reader, writer)]
            else:
                # One request only: the next on this connection could be for another host.
                there.write(_of_origin(request))
                both = [_pump(there_reader, writer)]
            tasks = [asyncio.create_task(one) for one in both]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _hello(self, host: str, reader: asyncio.StreamReader) -> bytes:
        """Read the beginning of a TLS connection. Raises ValueError unless it is for `host`.

        Many hosts share the addresses of a delivery network, which leads by the name.
        """
        async with asyncio.timeout(_HEAD_SECONDS):
            record = await read_record(reader)
        name = server_name(record)
        if name is None and _is_address(host):
            return record  # TLS has no names for these
        if name is None or name.lower() != host.lower():
            _note(self.refused, name or "a server without a name")
            raise ValueError(f"{name} is not {host}")
        return record


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _open(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to an address, through this machine's own proxy where there is one. Raises OSError."""
    host, port = address
    proxies = urllib.request.getproxies()
    proxy = urllib.parse.urlsplit(proxies.get("https") or proxies.get("all") or "")
    if not proxy.hostname or urllib.request.proxy_bypass(host):
        return await asyncio.open_connection(host, port)
    reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port or 80)
    writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise ConnectionError("this machine's proxy gave no answer") from error
    if head.split(b" ", 2)[1:2] != [b"200"]:
        writer.close()
        raise ConnectionError("this machine's proxy did not connect")
    return reader, writer


def _of_origin(request: bytes) -> bytes:
    """Return a request to a proxy as one to the server itself, after which the connection ends."""
    first, _, rest = request.partition(b"\r\n")
    method, target, version = first.split(b" ")
    parts = urllib.parse.urlsplit(target)
    path = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    replaced = (b"host:", b"connection:", b"proxy-connection:", b"proxy-authorization:")
    kept = [line for line in rest.split(b"\r\n") if line and not line.lower().startswith(replaced)]
    host = b"host: " + parts.netloc.rpartition(b"@")[2]
    return b"\r\n".join([b" ".join([method, path, version]), host, *kept, b"connection: close", b"", b""])


def _note(hosts: list[str], host: str) -> None:
    if host not in hosts and len(hosts) < _MOST_NOTED:
        hosts.append(host)


async def _say(writer: asyncio.StreamWriter, status: bytes) -> None:
    writer.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_HEAD_BYTES):
            writer.write(data)
            await writer.drain()
