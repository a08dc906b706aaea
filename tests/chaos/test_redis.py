import asyncio
import tempfile
from pathlib import Path

import pytest

from chaos.history import Cleared, Connection
from chaos.ports import free_port
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from chaos.sandbox.probe import sandbox_refusal


async def said(port: int, *commands: bytes) -> bytes:
    """What the server answers to commands, in one piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(commands))
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    return answer


async def test_it_is_a_redis_server_that_begins_empty_and_keeps_nothing() -> None:
    for _ in range(2):
        async with RedisServer(Recorder()) as server:
            assert await said(server.port, b"INCR count\r\n") == b":1\r\n"
            assert await said(server.port, b"INCR count\r\n") == b":2\r\n"
            folder = server.socket.parent
        assert not folder.exists()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)


async def test_connections_are_on_record_and_end_with_the_server() -> None:
    recorder = Recorder()
    async with RedisServer(recorder, name="store") as server:
        assert await said(server.port, b"PING\r\n") == b"+PONG\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"PING\r\n")
        assert await reader.readuntil(b"\r\n") == b"+PONG\r\n"

    assert await reader.read() == b""
    writer.close()
    events = [(event.upstream, event.connection, event.state) for event in recorder.history().of(Connection)]
    assert ("store", 1, "opened") in events
    assert ("store", 2, "opened") in events


async def test_what_is_large_passes_whole() -> None:
    value = b"x" * 3_000_000
    async with RedisServer(Recorder()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" % (len(value), value)
        )
        assert await reader.readuntil(b"\r\n") == b"+OK\r\n"
        assert await reader.readuntil(b"\r\n") == b"$%d\r\n" % len(value)
        assert await reader.readexactly(len(value)) == value
        writer.close()


@pytest.mark.parametrize(
    "command",
    [
        b"SHUTDOWN NOSAVE",
        b"REPLICAOF 127.0.0.1 9",
        b"MIGRATE 127.0.0.1 9 key 0 100",
        b"RESTORE key 0 value",
        b"ACL SETUSER default +@all",
    ],
)
async def test_nobody_stops_it_or_leads_it_elsewhere(command: bytes) -> None:
    async with RedisServer(Recorder()) as server:
        assert (await said(server.port, command + b"\r\n")).startswith(b"-NOPERM")
        assert await said(server.port, b"PING\r\n") == b"+PONG\r\n"


@pytest.mark.parametrize(
    "command", [b"CONFIG SET maxmemory 100mb", b"CLIENT SETNAME api", b"FLUSHALL", b"HELLO 3", b"INFO"]
)
async def test_what_services_ask_for_is_allowed(command: bytes) -> None:
    async with RedisServer(Recorder()) as server:
        assert not (await said(server.port, command + b"\r\n")).startswith(b"-")


async def test_it_writes_no_more_to_the_disk_than_a_little() -> None:
    value = b"x" * 8_000_000
    async with RedisServer(Recorder()) as server:
        for setting in (b"auto-aof-rewrite-percentage 0", b"appendonly yes"):
            assert await said(server.port, b"CONFIG SET %s\r\n" % setting) == b"+OK\r\n"
        for _ in range(30):
            await said(server.port, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value))
        folder = server.socket.parent
        assert sum(path.lstat().st_size for path in folder.rglob("*")) < 200_000_000


async def test_nobody_ends_it_by_what_it_logs() -> None:
    flood = b"for i = 1, 60000 do redis.log(redis.LOG_WARNING, 'x') end"
    async with RedisServer(Recorder()) as server:
        await said(server.port, b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(flood), flood))
        await asyncio.sleep(0.5)
        assert await said(server.port, b"PING\r\n") == b"+PONG\r\n"


@pytest.mark.skipif(bool(sandbox_refusal()), reason="this user may make no network")
async def test_it_opens_no_port_of_this_machine() -> None:
    async with RedisServer(Recorder()) as server:
        port = free_port("127.0.0.1")
        assert await said(server.port, b"CONFIG SET port %d\r\n" % port) == b"+OK\r\n"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_its_processor_time_is_on_record() -> None:
    recorder = Recorder()
    burn = b"for i = 1, 20000000 do end"
    async with RedisServer(recorder, name="store") as server:
        await said(server.port, b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(burn), burn))
    [cleared] = recorder.history().of(Cleared)
    assert (cleared.instance, cleared.left) == ("store", ())
    assert cleared.processor > 0.05


async def test_its_folder_may_lie_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    async with RedisServer(Recorder()) as server:
        assert await said(server.port, b"PING\r\n") == b"+PONG\r\n"
