import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chaos.history import Cleared, Connection
from chaos.output import OUTPUT_LINES
from chaos.postgres import PostgresDatabase, PostgresError, PostgresServer, TooMuchOutputError
from chaos.recorder import Recorder
from chaos.sandbox.probe import sandbox_refusal

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


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(f"SELEC '{'x' * 17_000_000}'", id="a long statement that is wrong"),
        pytest.param(
            "DO $$ BEGIN FOR i IN 1..60000 LOOP RAISE LOG 'x'; RAISE WARNING 'x'; END LOOP; END $$",
            id="many lines",
        ),
    ],
)
async def test_nobody_ends_it_by_what_it_logs(server: PostgresServer, statement: str) -> None:
    async with PostgresDatabase(server, Recorder(), database="one") as one:
        client = await asyncpg.connect(one.url())
        with contextlib.suppress(asyncpg.PostgresSyntaxError):
            await client.execute(statement)
        await client.close()
    async with PostgresDatabase(server, Recorder(), database="two") as two:
        assert await two.query("SELECT 1") == "1"


@pytest.mark.skipif(bool(sandbox_refusal()), reason="this user may mount nothing")
async def test_services_fill_its_disk_and_not_this_machine_s() -> None:
    async with PostgresServer(most_bytes=160 * 2**20) as server:
        async with PostgresDatabase(server, Recorder(), database="one") as one:
            client = await asyncpg.connect(one.url())
            with pytest.raises(asyncpg.DiskFullError):
                await client.execute(
                    "CREATE UNLOGGED TABLE t AS SELECT repeat(md5(random()::text), 60) FROM generate_series(1, 200000)"
                )
            await client.close()
            assert sum(path.lstat().st_size for path in server.folder.rglob("*")) < 2**20
        async with PostgresDatabase(server, Recorder(), database="two") as two:
            assert await two.query("SELECT 1") == "1"


async def test_a_database_goes_with_its_experiment_whoever_uses_it(server: PostgresServer) -> None:
    async with PostgresDatabase(server, Recorder(), database="one") as one:
        client = await asyncpg.connect(one.url())
    assert await server.query("SELECT count(*) FROM pg_database WHERE datname = 'one'") == "0"
    client.terminate()


async def test_one_that_has_ended_makes_no_databases() -> None:
    async with PostgresServer() as server:
        async with PostgresDatabase(server, Recorder(), database="one"):
            os.kill(server.pid, signal.SIGQUIT)
        with pytest.raises(PostgresError):
            await PostgresDatabase(server, Recorder(), database="two").__aenter__()


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
