"""Connections: asyncpg to PostgreSQL, aiosqlite to a file."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

CONNECT_SECONDS = 3.0
QUERY_SECONDS = 10.0
POOL_SIZE = 5
POOL_WAIT_SECONDS = 1.0
SQLITE_LOCK_SECONDS = 10.0


def make_engine(database: str | Path) -> AsyncEngine:
    """Return an engine for a PostgreSQL URL or a file of SQLite's."""
    return _sqlite(database) if isinstance(database, Path) else _postgresql(database)


def _postgresql(url: str) -> AsyncEngine:
    import asyncpg  # noqa: PLC0415  3 MB that a service with SQLite has no use for

    async def connect() -> Any:
        # asyncpg reads the whole URL, `sslmode` and the like included; SQLAlchemy would not understand all of it.
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=QUERY_SECONDS)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
    )


def _sqlite(path: Path) -> AsyncEngine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": SQLITE_LOCK_SECONDS},
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def allow_readers_beside_a_writer(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        # SQLite does not wait for a lock here. Whoever has it may be changing the mode as well, and the file keeps it.
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    return engine
