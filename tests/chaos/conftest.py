from collections.abc import AsyncIterator

import pytest

from chaos.toxiproxy import Toxiproxy
from tests.chaos.toxiproxy.support import Server


@pytest.fixture
async def toxiproxy(server: Server) -> AsyncIterator[Toxiproxy]:
    """A client of the server that the tests of a folder have, which is left without proxies."""
    async with Toxiproxy(server.url) as client:
        yield client
        for name in await client.proxies():
            await client.delete(name)
