import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chaos.ports import free_port
from chaos.proxy_check import check_bytes
from chaos.proxy_server import proxy_server
from chaos.toxiproxy import ProxyHandle, Toxiproxy

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
async def toxiproxy() -> AsyncIterator[Toxiproxy]:
    async with proxy_server(seed=1, env=ENV) as server:
        yield server.client


async def test_a_server_that_passes_bytes_on_is_left_as_it_was(toxiproxy: Toxiproxy) -> None:
    await check_bytes(toxiproxy, seed=2)

    assert await toxiproxy.proxies() == {}


def _lose_the_first(data: bytes) -> bytes:
    return data[1:]


def _change_one(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


class Broken(Toxiproxy):
    """A client whose proxies lead to what damages bytes, before they lead to the upstream."""

    def __init__(self, url: str, damage: Callable[[bytes], bytes]) -> None:
        super().__init__(url)
        self._damage = damage
        self._servers: list[asyncio.Server] = []

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        await super().__aexit__(None, None, None)

    async def create(self, name: str, upstream: str, **options: Any) -> ProxyHandle:
        port = free_port()
        host, _, behind = upstream.rpartition(":")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection(host, int(behind))

            async def back() -> None:
                while data := await inner_reader.read(65536):
                    writer.write(data)

            answers = asyncio.create_task(back())
            first = True
            while data := await reader.read(65536):
                inner_writer.write(self._damage(data) if first else data)
                first = False
            inner_writer.close()
            await asyncio.wait([answers], timeout=0.5)
            answers.cancel()
            writer.close()

        self._servers.append(await asyncio.start_server(serve, "127.0.0.1", port))
        return await super().create(name, f"127.0.0.1:{port}", **options)


async def test_a_server_that_changes_a_byte_is_found_out(toxiproxy: Toxiproxy) -> None:
    async with Broken(toxiproxy.url, _change_one) as broken:
        with pytest.raises(OSError, match="does not pass bytes on as they are: on 32 of 32"):
            await check_bytes(broken, seed=3)


async def test_a_server_that_loses_a_byte_is_found_out(
    toxiproxy: Toxiproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.proxy_check.SECONDS", 1.0)
    async with Broken(toxiproxy.url, _lose_the_first) as broken:
        with pytest.raises(OSError, match="did not pass on what it was sent"):
            await check_bytes(broken, seed=3)
