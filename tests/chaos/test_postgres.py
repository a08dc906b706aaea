import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chaos.history import Cleared, Connection
from chaos.output import OUTPUT_LINES
from chaos.postgres import PostgresDatabase, PostgresServer, TooMuchOutputError
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    async with PostgresServer() as running:
        yield running


async def test_each_database_is_a_service_s_own(server: PostgresServer) -> None:
    recorder = Recorder()
    async with (
        PostgresDatabase(server, recorder, database="one", name="store") as one,
        PostgresDatabase(server, recorder, database="two") as two,
    ):
        client = await asyncpg.connect(one.url())
        await client.execute("CREATE TABLE notes (text TEXT)")
        await client.execute("INSERT INTO notes VALUES ('canary')")
        assert await one.query("SELECT text, 1 FROM notes") == "canary|1"
        assert "canary" in await one.dump()
        assert "notes" not in await two.dump()
        await client.close()

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(one.url().removesuffix("one") + "two")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(one.url(f"127.0.0.1:{two.port}").replace("one:", "lab:"))

    states = [(event.upstream, event.state) for event in recorder.history().of(Connection)]
    assert ("store", "opened") in states


async def test_what_is_asked_of_it_is_on_record_as_processor_time(server: PostgresServer) -> None:
    recorder = Recorder()
    async with PostgresDatabase(server, recorder, database="one", name="store") as one:
        client = await asyncpg.connect(one.url())
        await client.execute("SELECT sum(sqrt(i)) FROM generate_series(1, 2000000) AS i")
        await client.close()
    [cleared] = recorder.history().of(Cleared)
    assert cleared.instance == "store"
    assert 0.1 < cleared.processor < 20


async def test_nobody_keeps_others_from_making_a_database(server: PostgresServer) -> None:
    async with PostgresDatabase(server, Recorder(), database="one") as one:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(one.url().removesuffix("one") + "template1")


async def test_nothing_of_it_is_kept() -> None:
    async with PostgresServer() as server, PostgresDatabase(server, Recorder(), database="one") as one:
        assert await one.query("SELECT 1") == "1"
        folder, port = server.folder, one.port
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_what_fails_is_told_with_postgresql_s_message(server: PostgresServer) -> None:
    with pytest.raises(OSError, match="does not exist"):
        await server.query("SELECT * FROM nowhere")
    with pytest.raises(ValueError, match="no name for a database"):
        await server.create_database("one; DROP DATABASE two")


async def test_rows_are_returned_whole_or_not_at_all(server: PostgresServer) -> None:
    whole = await server.query(f"SELECT generate_series(1, {OUTPUT_LINES - 1})")
    assert whole.splitlines()[-1] == str(OUTPUT_LINES - 1)
    with pytest.raises(TooMuchOutputError, match=f"psql printed more than .* {OUTPUT_LINES} lines"):
        await server.query(f"SELECT generate_series(1, {OUTPUT_LINES + 1})")


async def test_its_folder_may_lie_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    async with PostgresServer() as server, PostgresDatabase(server, Recorder(), database="one") as one:
        client = await asyncpg.connect(one.url())
        assert await client.fetchval("SELECT 1") == 1
        await client.close()
