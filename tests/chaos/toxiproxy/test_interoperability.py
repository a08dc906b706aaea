"""Both servers, driven by a client that others wrote: the PyPI package toxiproxy-python.

It keeps its server's address in a class, knows no time limits and blocks: so it works in a thread here.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import toxiproxy as other
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from chaos.toxiproxy import Toxiproxy
from tests.chaos.toxiproxy.support import LIMIT, Server, Upstream, refused

T = TypeVar("T")


@pytest.fixture
def theirs(server: Server, monkeypatch: pytest.MonkeyPatch, toxiproxy: Toxiproxy) -> Any:
    address = urlsplit(server.url)
    monkeypatch.setattr(APIConsumer, "host", address.hostname)
    monkeypatch.setattr(APIConsumer, "port", address.port)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return other.Toxiproxy()


async def blocking(call: Callable[..., T], *args: object, **kwargs: object) -> T:
    async with asyncio.timeout(LIMIT):
        return await asyncio.to_thread(call, *args, **kwargs)


async def test_running_and_version(theirs: Any, toxiproxy: Toxiproxy) -> None:
    assert await blocking(theirs.running) is True
    assert json.loads(await blocking(theirs.version)) == {"version": await toxiproxy.version()}


async def test_proxies(theirs: Any, toxiproxy: Toxiproxy) -> None:
    created = await blocking(theirs.create, name="a", upstream="127.0.0.1:9")
    assert created.listen == (await toxiproxy.get("a")).listen
    assert set(await blocking(theirs.proxies)) == {"a"}
    with pytest.raises(ProxyExists):
        await blocking(theirs.create, name="a", upstream="127.0.0.1:9")
    assert await blocking(theirs.destroy, created) is True
    assert await toxiproxy.proxies() == {}
    with pytest.raises(NotFound):
        await blocking(created.destroy)


async def test_disable_and_enable(theirs: Any, toxiproxy: Toxiproxy, upstream: Upstream) -> None:
    created = await blocking(theirs.create, name="a", upstream=upstream.address)
    port = (await toxiproxy.get("a")).port
    await blocking(created.disable)
    assert await refused(port)
    await blocking(created.enable)
    await upstream.connect(port)
    await upstream.accept()


async def test_toxics(theirs: Any, toxiproxy: Toxiproxy) -> None:
    created = await blocking(theirs.create, name="a", upstream="127.0.0.1:9")
    await blocking(created.add_toxic, type="latency", attributes={"latency": 10})
    await blocking(
        created.add_toxic, type="bandwidth", stream="upstream", toxicity=0.5, attributes={"rate": 7}
    )
    with pytest.raises(ProxyExists):
        await blocking(created.add_toxic, type="latency")
    with pytest.raises(InvalidToxic):
        await blocking(created.add_toxic, type="nonsense")
    toxics = await blocking(created.toxics)
    assert {name: (t.type, t.stream, t.toxicity, t.attributes) for name, t in toxics.items()} == {
        "bandwidth_upstream": ("bandwidth", "upstream", 0.5, {"rate": 7}),
        "latency_downstream": ("latency", "downstream", 1, {"latency": 10, "jitter": 0}),
    }
    await blocking(created.destroy_toxic, "latency_downstream")
    assert [toxic.name for toxic in await toxiproxy.toxics("a")] == ["bandwidth_upstream"]


async def test_reset(theirs: Any, toxiproxy: Toxiproxy) -> None:
    created = await blocking(theirs.create, name="a", upstream="127.0.0.1:9", enabled=False)
    await blocking(created.add_toxic, type="noop")
    await blocking(theirs.reset)
    proxy = await toxiproxy.get("a")
    assert (proxy.enabled, proxy.toxics) == (True, ())


async def test_populate(theirs: Any, toxiproxy: Toxiproxy) -> None:
    spec = {"name": "a", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"}
    (created,) = await blocking(theirs.populate, [spec])
    assert (await toxiproxy.get("a")).listen == created.listen
    assert await blocking(theirs.populate, [spec | {"listen": created.listen}]) == []
