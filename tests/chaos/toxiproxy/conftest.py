"""Both servers, once per run, and what most tests put around a proxy."""

from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx
import pytest

from chaos.toxiproxy import ProxyHandle, Toxiproxy, find_server
from tests.chaos.toxiproxy.support import Kind, Server, Upstream, running


@pytest.fixture(scope="session", params=["embedded", "real"])
def kind(request: pytest.FixtureRequest) -> Kind:
    kind = cast("Kind", request.param)
    if kind == "real" and find_server() is None:
        pytest.skip("no toxiproxy-server on PATH, and TOXIPROXY_SERVER is not set")
    return kind


@pytest.fixture(scope="module")
def server(kind: Kind) -> Iterator[Server]:
    with running(kind, metrics=True) as server:
        yield server


@pytest.fixture
def own_server(kind: Kind) -> Iterator[Server]:
    """For what might leave a server unfit for other tests."""
    with running(kind) as server:
        yield server


@pytest.fixture
async def http(server: Server, toxiproxy: Toxiproxy) -> AsyncIterator[httpx.AsyncClient]:
    """For requests that the client would not make."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        yield http


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
async def proxy(toxiproxy: Toxiproxy, upstream: Upstream) -> ProxyHandle:
    return await toxiproxy.create("proxy", upstream.address)
