import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from chaos.history import Answer, Failure, Request, Socket
from chaos.http_client import MOST_PIECES, Client
from chaos.ports import free_port
from chaos.raw_connection import RawConnection
from chaos.recorder import Recorder
from tests import connections
from tests.connections import Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 20.0


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[tuple[Client, Recorder]]:
    async with connections.serving(serve) as port:
        recorder = Recorder()
        yield Client(f"http://127.0.0.1:{port}", recorder), recorder


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def states(recorder: Recorder) -> list[str]:
    return [event.state for event in recorder.history().of(Socket)]


async def test_requests_follow_each_other_on_one_connection() -> None:
    peers = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await head(reader):
            peers.add(writer.get_extra_info("peername"))
            writer.write(OK)

    async with serving(serve) as (client, recorder):
        connection = await RawConnection.open(client, "idle")
        for _ in range(3):
            connection.send("GET", "/health")
            answer = await connection.answer(PATIENCE)
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body) == (200, "ok")
        connection.close()
        assert await connection.wait_end(PATIENCE) == "closed"

    assert len(peers) == 1
    assert states(recorder) == ["opened", "closed"]
    exchanges = recorder.history().exchanges("idle")
    assert [exchange.status for exchange in exchanges] == [200, 200, 200]
    assert exchanges[0].request.source == next(iter(peers))[0]


async def test_numbers_are_shared_with_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(OK)

    async with serving(serve) as (client, recorder):
        connection = await RawConnection.open(client, "idle")
        connection.send("GET", "/")
        await connection.answer(PATIENCE)
        connection.close()
        await client.request("GET", "/", label="other")

    numbers = [request.request for request in recorder.history().of(Request)]
    assert len(set(numbers)) == 2


async def test_half_a_body_is_sent_and_an_answer_to_it_is_recorded_without_a_reader() -> None:
    received = asyncio.Queue[bytes]()
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await head(reader) + await reader.readexactly(3))
        await go_on.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with serving(serve) as (client, recorder):
        connection = await RawConnection.open(client, "half")
        request = connection.send("POST", "/", body=b"abcdef", upto=3, token="t0ken", key="ref-1")
        sent = await received.get()
        assert recorder.history().exchanges("half")[0].end is None
        go_on.set()
        assert await connection.wait_end(PATIENCE) == "eof"
        connection.close()

    assert b"content-length: 6" in sent
    assert b"Bearer t0ken" in sent
    assert sent.endswith(b"\r\n\r\nabc")
    [exchange] = recorder.history().exchanges("half")
    assert exchange.request == request
    assert (exchange.status, request.key, request.body_bytes) == (408, "ref-1", 6)
    assert (request.body, request.authorized) == ("abcdef", True)
    assert states(recorder) == ["opened", "eof"]


async def test_an_idle_connection_s_end_is_seen_when_it_comes() -> None:
    async def eof(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()

    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    for serve, end in ((eof, "eof"), (reset, "reset")):
        async with serving(serve) as (client, recorder):
            connection = await RawConnection.open(client, "idle")
            assert await connection.wait_end(PATIENCE) == end
            connection.send("GET", "/")
            failure = await connection.answer(PATIENCE)
            assert isinstance(failure, Failure)
            assert failure.error == end
        assert states(recorder) == ["opened", end]


@pytest.mark.parametrize(
    ("bytes_sent", "error"),
    [
        (b"", "eof"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "eof"),
        (b"rubbish\r\n\r\n", "malformed"),
        (b"HTTP/1.1 100 \r\n\r\n" * (MOST_PIECES + 1), "malformed"),
    ],
)
async def test_a_request_without_a_whole_answer_fails(bytes_sent: bytes, error: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(bytes_sent)

    async with serving(serve) as (client, recorder):
        connection = await RawConnection.open(client, "x")
        connection.send("GET", "/")
        failure = await connection.answer(PATIENCE)
        connection.close()

    assert isinstance(failure, Failure)
    assert failure.error == error
    assert len(recorder.history().of(Failure)) == 1


async def test_patience_ends_and_hanging_up_fails_what_is_under_way() -> None:
    closed = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        closed.put_nowait(await reader.read())

    async with serving(serve) as (client, recorder):
        impatient = await RawConnection.open(client, "impatient")
        impatient.send("GET", "/")
        failure = await impatient.answer(0.1)
        assert isinstance(failure, Failure)
        assert failure.error == "timeout"
        assert await impatient.wait_end(0.05) is None
        impatient.close()
        assert await closed.get() == b""

        hanging = await RawConnection.open(client, "hanging")
        hanging.send("GET", "/")
        hanging.close()
        assert await closed.get() == b""

    [exchange] = recorder.history().exchanges("hanging")
    assert isinstance(exchange.end, Failure)
    assert exchange.end.error == "aborted"
    assert len(recorder.history().of(Failure)) == 2


async def test_a_connection_that_the_service_wants_to_close_takes_no_further_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await reader.read()

    async with serving(serve) as (client, _):
        connection = await RawConnection.open(client, "x")
        connection.send("GET", "/")
        assert isinstance(await connection.answer(PATIENCE), Answer)
        connection.send("GET", "/")
        failure = await connection.answer(PATIENCE)
        connection.close()

    assert isinstance(failure, Failure)
    assert failure.error == "eof"


async def test_a_refused_connection_is_recorded_and_fails_what_is_sent_on_it() -> None:
    recorder = Recorder()
    connection = await RawConnection.open(Client(f"http://127.0.0.1:{free_port()}", recorder), "x")
    connection.send("GET", "/")
    failure = await connection.answer(PATIENCE)
    connection.close()

    assert isinstance(failure, Failure)
    assert failure.error == "refused"
    assert states(recorder) == ["refused"]


async def test_a_body_that_was_sent_in_part_can_be_finished() -> None:
    bodies = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        bodies.append(await reader.readexactly(4))
        writer.write(OK)

    async with serving(serve) as (client, _):
        connection = await RawConnection.open(client, "half-sent")
        connection.send("POST", "/", body=b"body", upto=1)
        connection.finish()
        assert isinstance(await connection.answer(PATIENCE), Answer)
        connection.finish()
        connection.close()

    assert bodies == [b"body"]


async def test_a_body_trickles_and_the_last_byte_is_kept() -> None:
    received = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        while byte := await reader.read(1):
            received.put_nowait(byte)

    async with serving(serve) as (client, _):
        connection = await RawConnection.open(client, "trickling")
        connection.send("POST", "/", body=b"body", upto=1)
        sent = [connection.send_more(1) for _ in range(4)]
        arrived = b"".join([await received.get() for _ in range(3)])
        connection.close()
        after_the_end = connection.send_more(1)

    assert sent == [True, True, False, False]
    assert arrived == b"bod"
    assert not after_the_end


async def test_half_a_head_is_sent() -> None:
    received = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received.put(await reader.read(100))

    async with serving(serve) as (client, recorder):
        connection = await RawConnection.open(client, "half-head")
        connection.send_half_a_head("GET", "/health")
        half = await received.get()
        connection.close()

    assert half.startswith(b"GET /health HTTP/1.1\r\n")
    assert b"\r\n\r\n" not in half
    [exchange] = recorder.history().exchanges("half-head")
    assert isinstance(exchange.end, Failure)
