"""The client's own promises: errors by kind, time limits, names of any spelling."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chaos.ports import free_port
from chaos.toxiproxy import (
    ControlTimeoutError,
    NotFoundError,
    ProxyHandle,
    ProxySpec,
    Toxiproxy,
    ToxiproxyError,
    UnreachableError,
)
from chaos.toxiproxy.models import Proxy
from tests.chaos.toxiproxy.support import Upstream
from tests.connections import serving


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a server that accepts and never answers."""
    upstream = Upstream()
    yield f"http://{upstream.address}"
    upstream.close()


async def test_a_silent_server_is_a_timeout(silent: str) -> None:
    loop = asyncio.get_running_loop()
    async with Toxiproxy(silent, timeout=0.2) as toxiproxy:
        began = loop.time()
        with pytest.raises(ControlTimeoutError, match=r"GET /proxies: no answer within 0\.2 s"):
            await toxiproxy.proxies()
        assert 0.2 <= loop.time() - began < 2


async def test_a_dripping_server_is_a_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as port, Toxiproxy(f"http://127.0.0.1:{port}", timeout=0.2) as toxiproxy:
        with pytest.raises(ControlTimeoutError):
            await toxiproxy.proxies()


async def test_no_server_is_unreachable() -> None:
    async with Toxiproxy(f"http://127.0.0.1:{free_port()}") as toxiproxy:
        with pytest.raises(UnreachableError) as caught:
            await toxiproxy.proxies()
    assert caught.value.status is None
    assert not isinstance(caught.value, ControlTimeoutError)


async def test_an_answer_of_another_server_is_an_error() -> None:
    async def teapot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 418 I'm a teapot\r\ncontent-length: 5\r\nconnection: close\r\n\r\nshort")

    async with serving(teapot) as port, Toxiproxy(f"http://127.0.0.1:{port}") as toxiproxy:
        with pytest.raises(ToxiproxyError, match=r"short \(418\)"):
            await toxiproxy.proxies()


async def test_proxy_settings_in_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, toxiproxy: Toxiproxy
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    async with Toxiproxy(toxiproxy.url) as client:
        assert await client.proxies() == {}


async def test_names_are_quoted(toxiproxy: Toxiproxy) -> None:
    proxy = await toxiproxy.create("a name?x=1#é", "127.0.0.1:9")
    await proxy.add_toxic("latency", name="100 % slow", latency=1)
    updated = await proxy.update_toxic("100 % slow", latency=2)
    assert updated.attributes["latency"] == 2
    await proxy.remove_toxic("100 % slow")
    assert (await proxy.get()).toxics == ()
    await proxy.delete()


async def test_a_handle_is_a_shorthand(proxy: ProxyHandle, toxiproxy: Toxiproxy) -> None:
    await proxy.disable()
    assert not (await toxiproxy.get(proxy.name)).enabled
    await proxy.enable()
    assert (await toxiproxy.get(proxy.name)).enabled
    await proxy.delete()
    with pytest.raises(NotFoundError):
        await proxy.get()


async def test_populate_makes_proxies(toxiproxy: Toxiproxy) -> None:
    made = await toxiproxy.populate([ProxySpec(name="a", upstream="127.0.0.1:9")])
    assert [(proxy.name, proxy.enabled) for proxy in made] == [("a", True)]
    assert await toxiproxy.populate([]) == []


@pytest.mark.parametrize(
    ("listen", "host", "port"), [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:81", "::1", 81)]
)
def test_listen_has_a_host_and_a_port(listen: str, host: str, port: int) -> None:
    proxy = Proxy(name="a", listen=listen, upstream="127.0.0.1:9", enabled=True)
    assert (proxy.host, proxy.port) == (host, port)
