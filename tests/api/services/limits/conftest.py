"""A real Redis server, and one behind the fault proxy."""

import os
from collections.abc import AsyncIterator

import pytest

from chaos.proxy_server import proxy_server
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from chaos.toxiproxy.client import ProxyHandle


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    async with RedisServer(Recorder()) as server:
        yield server


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[ProxyHandle]:
    """What stands between Redis and whoever connects to this proxy's port."""
    async with proxy_server(seed=1, env={"PATH": os.environ["PATH"]}) as running:
        yield await running.client.create("redis", f"127.0.0.1:{server.port}")
