"""The database, which nothing on the way to a model's answer waits for.

SQLAlchemy is imported, the database connected to and its schema brought up to date in the background, again and again
until it works. Whoever asks the database says how long the answer may take, and is told at once if it is known to be
down.
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from api.services.metrics import DATABASE_UP

if TYPE_CHECKING:
    from api.storage.store import Store

T = TypeVar("T")

log = structlog.get_logger("api.database")

ATTEMPT_SECONDS = 60.0
"""For the first connection, which may have to wait for another process's migration."""
PING_SECONDS = 3.0
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 1.0


class DatabaseUnavailableError(Exception):
    """The database is down, or did not answer in time."""


class Database:
    """A PostgreSQL URL, or the path of an SQLite file."""

    def __init__(self, address: str | Path, *, retry: float = RETRY_SECONDS) -> None:
        self._address = address
        self._retry = retry
        self._store: Store | None = None
        self._migrated = False
        self._up = asyncio.Event()
        self._failed = asyncio.Event()
        self._closing = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._operations: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to connect, in the background."""
        DATABASE_UP.set(0)
        self._watch = asyncio.create_task(self._keep_up(), name="database")

    async def close(self) -> None:
        """Disconnect, within a few CLOSE_SECONDS.

        What goes on may end first: of an operation that is cancelled SQLAlchemy leaves the connection behind, and
        aiosqlite's thread then reports to a loop that is closed.
        """
        self._closing.set()
        self._failed.set()
        tasks = [*self._operations, *([self._watch] if self._watch else [])]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CLOSE_SECONDS)
        if self._store is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._store.close_connections()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def wait_until_up(self) -> None:
        await self._up.wait()

    async def run(self, query: Callable[["Store"], Coroutine[Any, Any, T]], *, timeout: float) -> T:
        """Return what a query returns. Raises DatabaseUnavailableError, after `timeout` seconds at most."""
        if self._store is None or not self.up:
            raise DatabaseUnavailableError("not connected")
        # A task of its own: a driver that is cancelled while its server hangs takes seconds to clean up.
        running = asyncio.create_task(query(self._store))
        self._operations.add(running)
        running.add_done_callback(self._forget)
        done, _ = await asyncio.wait([running], timeout=timeout)
        if not done:
            running.cancel()
            self._fail("timeout")
            raise DatabaseUnavailableError("timeout")
        if (error := running.exception()) is not None:
            self._fail(type(error).__name__)
            raise DatabaseUnavailableError(type(error).__name__) from error
        return running.result()

    def _forget(self, operation: asyncio.Task[Any]) -> None:
        self._operations.discard(operation)
        if not operation.cancelled():
            operation.exception()  # is known already, or came too late to matter

    def _fail(self, reason: str) -> None:
        if self.up:
            log.error("database unavailable", reason=reason)
            DATABASE_UP.set(0)
            self._up.clear()
        self._failed.set()

    async def _keep_up(self) -> None:
        while not self._closing.is_set():
            error = await self._try_to_connect()
            if error is not None:
                if not self._failed.is_set():
                    log.error("database unavailable", reason=type(error).__name__)
                    self._failed.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._retry):
                        await self._closing.wait()
            elif not self._closing.is_set():
                self._failed.clear()
                self._up.set()
                DATABASE_UP.set(1)
                log.info("database connected")
                await self._failed.wait()

    async def _try_to_connect(self) -> Exception | None:
        try:
            async with asyncio.timeout(PING_SECONDS if self._migrated else ATTEMPT_SECONDS):
                await self._connect()
        except Exception as error:  # noqa: BLE001  whatever it is, the next attempt may do better
            return error
        return None

    async def _connect(self) -> None:
        if self._store is None:
            self._store = await asyncio.to_thread(_open, self._address)
        if not self._migrated:
            await self._store.migrate()
            self._migrated = True
            gc.freeze()  # SQLAlchemy is there to stay, and too large to be visited while callers wait
            return
        await self._store.close_connections()  # those that hung would each cost somebody a timeout
        await self._store.ping()


def _open(address: str | Path) -> "Store":
    store: Store = import_module("api.storage.store").Store.open(address)
    return store
