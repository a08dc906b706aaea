"""A PostgreSQL database behind a fault proxy, for tests of what the service does without it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chaos.ports import free_port
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.proxy_server import proxy_server
from chaos.recorder import Recorder
from chaos.toxiproxy import ProxyHandle

COUNT_SECONDS = 30.0


@dataclass
class Database:
    inside: PostgresDatabase
    proxy: ProxyHandle

    @property
    def url(self) -> str:
        return self.inside.url(self.proxy.listen)

    async def hang(self) -> None:
        """Have the database see nothing of what is sent, on living connections too, until `heal`."""
        await self.proxy.add_toxic("timeout", stream="upstream", name="hang", timeout=0)

    async def go_away(self) -> None:
        """Refuse connections, and close living ones, until `heal`."""
        await self.proxy.disable()

    async def heal(self) -> None:
        for toxic in (await self.proxy.get()).toxics:
            await self.proxy.remove_toxic(toxic.name)
        await self.proxy.enable()

    async def wait_for_rows(self, count: int) -> list[str]:
        """Return the ids of the requests in `usage`, once there are so many rows."""
        async with asyncio.timeout(COUNT_SECONDS):
            while len(rows := await self.request_ids()) < count:
                await asyncio.sleep(0.05)
        return rows

    async def request_ids(self) -> list[str]:
        if await self.inside.query("SELECT to_regclass('usage') IS NULL") == "t":
            return []
        return (await self.inside.query("SELECT request_id FROM usage")).split()


@asynccontextmanager
async def run_database() -> AsyncIterator[Database]:
    async with (
        PostgresServer() as server,
        PostgresDatabase(server, Recorder(), database="api") as inside,
        proxy_server(seed=1, env={"PATH": os.environ["PATH"]}) as proxies,
    ):
        listen = f"127.0.0.1:{free_port('127.0.0.1')}"
        proxy = await proxies.client.create("postgres", f"127.0.0.1:{inside.port}", listen=listen)
        yield Database(inside, proxy)
