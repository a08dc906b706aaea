import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from chaos.history import Answer, Failure, Request
from chaos.http_client import ANSWER_BYTES, Client
from chaos.ports import free_port
from chaos.recorder import Recorder
from tests import connections
from tests.connections import Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok"


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[tuple[Client, Recorder]]:
    async with connections.serving(serve) as port:
        recorder = Recorder()
        yield Client(f"http://127.0.0.1:{port}", recorder), recorder


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_an_answer_is_recorded_with_its_request() -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head(reader))
        writer.write(OK)

    async with serving(serve) as (client, recorder):
        answer = await client.request("GET", "/health", label="health", token="t0ken", key="ref-1")

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.headers["x-a"]) == (200, "ok", "1, 2")
    [request] = recorder.history().of(Request)
    assert (request.label, request.path, request.key, request.request) == (
        "health",
        "/health",
        "ref-1",
        answer.request,
    )
    assert b"authorization: Bearer t0ken" in heads[0]


async def test_raw_headers_go_out_as_they_are() -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head(reader))
        writer.write(OK)

    async with serving(serve) as (client, _):
        await client.request("POST", "/", label="x", raw_headers=b"X-A: 1\r\nX-A: \x00\r\n", body=b"body")

    assert heads[0].endswith(b"\r\nX-A: 1\r\nX-A: \x00\r\n\r\n")
    assert b"host: " in heads[0].lower()


async def test_each_request_has_a_connection_and_source_address_of_its_own() -> None:
    peers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        await head(reader)
        writer.write(OK)

    async with serving(serve) as (client, recorder):
        for _ in range(3):
            await client.request("GET", "/", label="x")

    assert len(set(peers)) == 3
    assert peers == [request.source for request in recorder.history().of(Request)]


async def test_an_early_answer_is_seen_while_the_body_is_still_being_sent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with serving(serve) as (client, _):
        for chunked in (True, False):
            answer = await client.request(
                "POST", "/", label="big", body=[b"x" * 65536] * 64, chunked=chunked, timeout=20
            )
            assert isinstance(answer, Answer)
            assert answer.status == 413


async def test_an_answer_before_a_reset_counts() -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:  # closed with most of the body unread, which resets it
            connection.recv(1000)
            connection.send(
                b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
            )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", Recorder())
        for _ in range(10):
            refusing = asyncio.create_task(asyncio.to_thread(refuse, listener))
            answer = await client.request("POST", "/", label="big", body=[b"x" * 16384] * 74, timeout=20)
            await refusing
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body) == (413, "no")


async def test_of_a_body_a_bounded_beginning_is_recorded_as_text() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with serving(serve) as (client, recorder):
        await client.json("POST", "/", {"prompt": "é"}, label="x", token="t0ken")
        await client.request("POST", "/", label="x", body=b"\xff" + b"x" * 5000)
        await client.request("GET", "/", label="x")

    recorded = recorder.history().of(Request)
    assert [one.body for one in recorded] == ['{"prompt": "\\u00e9"}', "\ufffd" + "x" * 2047, ""]
    assert [one.body_bytes for one in recorded] == [20, 5001, 0]
    assert [one.authorized for one in recorded] == [True, False, False]


async def test_a_body_that_is_never_completed_announces_what_is_withheld() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.read())  # until the client hangs up
        writer.close()

    async with serving(serve) as (client, recorder):
        for chunked in (False, True):
            answer = await client.request(
                "POST", "/", label="x", body=[b"start"], withheld=995, chunked=chunked, timeout=0.3
            )
            assert isinstance(answer, Failure)
            assert answer.error == "timeout"
            seen = await received.get()
            assert (b"content-length: 1000" in seen.lower()) is not chunked
            assert seen.rstrip().endswith(b"start")

    assert [request.body_bytes for request in recorder.history().of(Request)] == [1000, 1000]


async def test_a_chunked_body_arrives_whole_and_names_no_length() -> None:
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)

    async with serving(serve) as (client, _):
        await client.request("POST", "/", label="x", body=[b"one", b"two"], chunked=True)

    assert b"content-length" not in received.lower()
    assert b"one" in received
    assert b"two" in received


async def test_refused_reset_eof_and_rubbish_are_told_apart() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)

    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    for serve, error in ((reset, "reset"), (eof, "eof"), (silent, "eof"), (rubbish, "malformed")):
        async with serving(serve) as (client, _):
            failure = await client.request("GET", "/", label="x")
            assert isinstance(failure, Failure)
            assert failure.error == error, serve

    failure = await Client(f"http://127.0.0.1:{free_port()}", Recorder()).request("GET", "/", label="x")
    assert isinstance(failure, Failure)
    assert failure.error == "refused"


async def test_patience_and_hanging_up_are_told_apart_and_close_the_connection() -> None:
    closed = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await closed.put(await reader.read())

    async with serving(serve) as (client, _):
        patience = await client.request("GET", "/", label="x", timeout=0.1)
        hung_up = await client.request("GET", "/", label="x", timeout=5, abort_after=0.1)
        assert [await closed.get(), await closed.get()] == [b"", b""]

    assert isinstance(patience, Failure)
    assert isinstance(hung_up, Failure)
    assert (patience.error, hung_up.error) == ("timeout", "aborted")
    assert 0.1 <= patience.elapsed < 5


async def test_a_huge_answer_is_cut() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
        await writer.drain()

    async with serving(serve) as (client, _):
        answer = await client.request("GET", "/", label="x")

    assert isinstance(answer, Answer)
    assert answer.cut
    assert len(answer.body) == ANSWER_BYTES


async def test_headers_without_end_are_malformed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300_000)
        await writer.drain()
        await reader.read()

    async with serving(serve) as (client, _):
        failure = await client.request("GET", "/", label="x", timeout=10)

    assert isinstance(failure, Failure)
    assert failure.error == "malformed"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"HTTP/1.1 100 \r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
async def test_pieces_without_end_are_malformed(start: bytes, piece: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(start)
        while not writer.is_closing():
            writer.write(piece * 1000)
            await writer.drain()

    async with serving(serve) as (client, _):
        failure = await client.request("GET", "/", label="x", timeout=30)

    assert isinstance(failure, Failure)
    assert failure.error == "malformed"
    assert "pieces" in failure.detail
