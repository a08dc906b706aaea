import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from api.storage import migrations
from api.storage.engine import make_engine
from api.storage.store import Store
from api.storage.tables import REVISION, metadata
from tests.api.database import Database

pytestmark = pytest.mark.medium


async def differences(database: str | Path) -> list[object]:
    """What the migrated database has other than the tables that the queries go by."""

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = make_engine(database)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def migrate_at_once(database: str | Path, workers: int = 4) -> None:
    stores = [Store.open(database) for _ in range(workers)]
    await asyncio.gather(*(store.migrate() for store in stores))
    await stores[0].migrate()
    for store in stores:
        await store.close_connections()


async def test_several_workers_migrate_sqlite_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "api.db"
    await migrate_at_once(path)
    assert await differences(path) == []


async def test_a_worker_connects_while_another_writes_to_a_new_file(tmp_path: Path) -> None:
    """SQLite refuses at once to change how a file is kept while somebody writes to it."""
    path = tmp_path / "api.db"
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE theirs (id)")
        store = Store.open(path)
        await store.ping()
        await store.close_connections()


async def test_several_workers_migrate_postgresql_once(postgres: Database) -> None:
    await migrate_at_once(postgres.url)
    assert await differences(postgres.url) == []


async def test_a_failed_step_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "api.db"

    def fail(*_: object) -> None:
        raise RuntimeError("half way")

    store = Store.open(path)
    with monkeypatch.context() as patched:
        patched.setattr("alembic.operations.Operations.create_index", fail)
        with pytest.raises(RuntimeError, match="half way"):
            await store.migrate()
    await store.migrate()
    await store.close_connections()
    assert await differences(path) == []


def test_the_tables_are_those_of_the_last_step() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [REVISION]


async def test_a_current_schema_needs_no_alembic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path / "api.db")
    await store.migrate()
    monkeypatch.setitem(sys.modules, "api.storage.migrate", None)  # has an import of it fail
    await store.migrate()
    await store.close_connections()
