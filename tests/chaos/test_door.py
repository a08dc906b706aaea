"""The relay of a door, to ports where somebody listens and where nobody does. Sockets that stay open fail a test."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from chaos.door import Door


@pytest.fixture
def door() -> Iterator[Door]:
    """A door behind which there is this machine's own network."""
    here, there = socket.socketpair()

    def hand_out() -> None:
        while there.recv(1):
            with socket.socket() as made:
                socket.send_fds(there, [b"."], [made.fileno()])

    thread = threading.Thread(target=hand_out)
    thread.start()
    try:
        yield Door(here)
    finally:
        here.close()
        thread.join()
        there.close()


async def test_it_leads_to_the_port(door: Door) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(4)).upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, door.relay(server.sockets[0].getsockname()[1]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ping")

        assert await reader.read() == b"PING"
        writer.close()


async def test_where_nobody_listens_the_connection_ends_and_nothing_stays_open(door: Door) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with door.relay(unused.getsockname()[1]) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            assert await reader.read() == b""
            writer.close()
    gc.collect()
