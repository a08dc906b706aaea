"""PostgreSQL, which may be away. A connection that has failed is never used again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog

log = structlog.get_logger("gateway.database")
T = TypeVar("T")

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS api_keys (
    id text PRIMARY KEY,
    username text NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX IF NOT EXISTS api_keys_username ON api_keys (username);
CREATE TABLE IF NOT EXISTS usage_records (
    id uuid PRIMARY KEY,
    day date NOT NULL,
    username text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost numeric NOT NULL
);
CREATE INDEX IF NOT EXISTS usage_records_username_day ON usage_records (username, day);
"""


class Unavailable(Exception):
    """The database did not do in time what it was asked."""


class Database:
    def __init__(self, url: str | None, connections: int = 8) -> None:
        self._url = url
        self._idle: list[asyncpg.Connection] = []
        self._slots = asyncio.Semaphore(connections)
        self._made = False

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], seconds: float = 3) -> T:
        if self._url is None:
            raise Unavailable("DATABASE_URL is not set")
        connection = None
        try:
            async with asyncio.timeout(seconds), self._slots:
                connection = self._take() or await asyncpg.connect(self._url, timeout=seconds)
                if not self._made:
                    await self._make(connection)
                result = await work(connection)
        except AWAY as error:
            self._drop(connection)
            raise Unavailable(type(error).__name__) from error
        except BaseException:
            if connection is not None:
                connection.terminate()
            raise
        self._idle.append(connection)
        return result

    def _take(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _drop(self, connection: asyncpg.Connection | None) -> None:
        for one in [*self._idle, *([connection] if connection else [])]:
            one.terminate()
        self._idle.clear()

    async def _make(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(610061)")
            await connection.execute(SCHEMA)
        self._made = True

    async def prepare(self) -> None:
        """Create the tables, however long it takes until there is a database."""
        while True:
            try:
                await self.run(lambda connection: connection.fetchval("SELECT 1"))
            except Unavailable as error:
                log.warning("the database is not available", reason=str(error))
                await asyncio.sleep(1)
            else:
                return

    async def alive(self) -> bool:
        try:
            await self.run(lambda connection: connection.fetchval("SELECT 1"), 1)
        except Unavailable:
            return False
        return True

    async def close(self) -> None:
        self._drop(None)
