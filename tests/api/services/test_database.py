"""The database's connections, of which an application that ends leaves none behind."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from api.services.database import Database

SECONDS = 30.0


def connections() -> list[threading.Thread]:
    """Return the threads of aiosqlite, which has one for each."""
    return [thread for thread in threading.enumerate() if "connection_worker" in thread.name]


def test_one_that_is_closed_while_it_connects_leaves_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, may_connect = threading.Event(), threading.Event()
    raised: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.exc_value))
    monkeypatch.setattr(sqlite3, "connect", held_up(sqlite3.connect, connecting, may_connect))

    async def connect_and_close() -> None:
        database = Database(tmp_path / "api.db")
        database.start()
        assert await asyncio.to_thread(connecting.wait, SECONDS)
        closing = asyncio.create_task(database.close())
        for _ in range(100):
            await asyncio.sleep(0)
        if not closing.done():
            may_connect.set()
        await closing

    asyncio.run(connect_and_close())

    may_connect.set()
    for thread in connections():
        thread.join(SECONDS)
    assert raised == []


def held_up(
    connect: Callable[..., sqlite3.Connection], begun: threading.Event, may_go_on: threading.Event
) -> Callable[..., sqlite3.Connection]:
    def hold(*arguments: object, **options: object) -> sqlite3.Connection:
        begun.set()
        assert may_go_on.wait(SECONDS)
        return connect(*arguments, **options)

    return hold
