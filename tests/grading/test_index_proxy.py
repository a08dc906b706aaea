"""How far the proxy for installations leads."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grading.index_proxy import IndexProxy

from .test_client_hello import client_hello

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"


class Edge:
    """A server that answers whatever it is sent, and remembers it."""

    def __init__(self) -> None:
        self.got = b""
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            self.got += await reader.read(2**16)
            writer.write(ANSWER)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    found = Edge()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@contextlib.asynccontextmanager
async def through(
    proxy: IndexProxy, folder: Path
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a proxy, as what runs in a box does."""
    async with proxy.at(folder) as door:
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as handing:
            address = listener.getsockname()
            # The path of a temporary folder may be too long for a socket's.
            descriptor = os.open(door.parent, os.O_PATH)
            handing.connect(f"/proc/self/fd/{descriptor}/{door.name}")
            os.close(descriptor)
            socket.send_fds(handing, [b"."], [listener.fileno()])
            reader, writer = await asyncio.open_connection(*address)
            with contextlib.closing(writer):
                yield reader, writer


async def tunnel(proxy: IndexProxy, folder: Path, host: str, port: int, sent: bytes) -> bytes:
    """Return what comes back for the first bytes in a tunnel to a host."""
    async with asyncio.timeout(20), through(proxy, folder) as (reader, writer):
        writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_tunnel_leads_to_the_index_by_its_name(edge: Edge, tmp_path: Path) -> None:
    proxy = IndexProxy({("localhost", edge.port)})
    hello = client_hello("LocalHost")

    assert await tunnel(proxy, tmp_path, "localhost", edge.port, hello) == ANSWER
    assert edge.got == hello
    assert proxy.refused == []


@pytest.mark.parametrize("name", ["another.example.org", "localhost.example.org", None])
async def test_a_tunnel_leads_nowhere_by_another_name(edge: Edge, tmp_path: Path, name: str | None) -> None:
    proxy = IndexProxy({("localhost", edge.port)})

    assert await tunnel(proxy, tmp_path, "localhost", edge.port, client_hello(name)) == b""
    assert edge.got == b""
    assert proxy.refused == [name or "a server without a name"]


async def test_a_tunnel_is_for_tls_alone(edge: Edge, tmp_path: Path) -> None:
    proxy = IndexProxy({("localhost", edge.port)})

    assert await tunnel(proxy, tmp_path, "localhost", edge.port, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert edge.got == b""


async def test_an_index_without_a_name_is_reached_by_its_address(edge: Edge, tmp_path: Path) -> None:
    proxy = IndexProxy({("127.0.0.1", edge.port)})

    assert await tunnel(proxy, tmp_path, "127.0.0.1", edge.port, client_hello(None)) == ANSWER


async def test_a_plain_request_is_for_the_host_that_it_is_sent_to(edge: Edge, tmp_path: Path) -> None:
    proxy = IndexProxy({("localhost", edge.port)})
    request = (
        f"GET http://me:secret@localhost:{edge.port}/simple HTTP/1.1\r\nHost: another.example.org\r\n\r\n"
    )

    async with asyncio.timeout(20), through(proxy, tmp_path) as (reader, writer):
        writer.write(request.encode())
        assert await reader.read() == ANSWER

    assert (
        edge.got
        == f"GET /simple HTTP/1.1\r\nhost: localhost:{edge.port}\r\nconnection: close\r\n\r\n".encode()
    )
