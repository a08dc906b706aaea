import asyncio
import contextlib
import gc
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import httpx
import pytest

from chaos.history import Connection, Event, HarnessFault
from chaos.http_server import MOST_PIECES, ClientGone, Handler, HttpRequest, HttpServer, Responder
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

PATIENCE = 10.0
HELLO = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

E = TypeVar("E", bound=Event)
Serve = Callable[[Handler], AbstractAsyncContextManager[HttpServer]]


class WatchedRecorder(Recorder):
    """A recorder whose next event can be awaited."""

    def __init__(self) -> None:
        super().__init__()
        self._recorded = asyncio.Event()

    def record(self, event: E, *, at: float | None = None) -> E:
        self._recorded.set()
        return super().record(event, at=at)

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():
                self._recorded.clear()
                await self._recorded.wait()


@pytest.fixture
def recorder() -> WatchedRecorder:
    return WatchedRecorder()


@pytest.fixture
def serve(recorder: Recorder) -> Serve:
    @asynccontextmanager
    async def serving(handler: Handler) -> AsyncIterator[HttpServer]:
        async with HttpServer(handler, recorder, "litellm") as server:
            yield server

    return serving


class Client:
    """A client that says and does exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def connect(server: HttpServer) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def states(recorder: Recorder, connection: int = 1) -> list[str]:
    events = recorder.history().of(Connection)
    return [event.state for event in events if event.connection == connection]


async def echo(request: HttpRequest, responder: Responder) -> None:
    line = f"{request.method} {request.path} {request.query} {request.connection}\n".encode()
    await responder.send(200, line + request.body, headers=[("content-type", "text/plain")])


async def test_a_request_arrives_whole(serve: Serve) -> None:
    seen: list[HttpRequest] = []

    async def handler(request: HttpRequest, responder: Responder) -> None:
        seen.append(request)
        await responder.send(204)

    async with serve(handler) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.post("/a/b?c=d&e", json={"x": 1}, headers={"X-Y": "z"})).status_code == 204
    [request] = seen
    assert (request.method, request.path, request.query) == ("POST", "/a/b", "c=d&e")
    assert request.headers["x-y"] == "z"
    assert request.json() == {"x": 1}
    with pytest.raises(ValueError, match="Expecting value"):
        HttpRequest("GET", "/", "", {}, b"", 1).json()


async def test_a_connection_is_kept_alive_and_counted(serve: Serve, recorder: WatchedRecorder) -> None:
    async with serve(echo) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            answers = [(await http.get(f"/{n}")).text for n in range(3)]
        await recorder.until(lambda: len(states(recorder)) == 2)
    assert answers == [f"GET /{n}  1\n" for n in range(3)]
    assert states(recorder) == ["opened", "eof"]


async def test_connection_close_is_honoured(serve: Serve, recorder: Recorder) -> None:
    async with serve(echo) as server, connect(server) as client:
        await client.send(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await client.rest()).endswith(b"GET /x  1\n")
    assert states(recorder) == ["opened", "closed"]


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async with serve(echo) as server, connect(server) as client:
        await client.send(HELLO + HELLO.replace(b"hello", b"again"))
        assert (await client.until(b"GET /hello  1\n")).count(b"HTTP/1.1 200") == 1
        assert (await client.until(b"GET /again  1\n")).count(b"HTTP/1.1 200") == 1


async def test_a_body_in_pieces_and_one_in_chunks(serve: Serve) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"a" * 10, b"b" * 100_000):
            yield piece

    async with serve(echo) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.post("/", content=pieces())).content.count(b"b") == 100_000


async def test_expect_continue_is_answered(serve: Serve) -> None:
    async with serve(echo) as server, connect(server) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        await client.send(b"ok")
        assert (await client.until(b"ok")).startswith(b"HTTP/1.1 200")


async def test_head_gets_a_head_only(serve: Serve) -> None:
    async with serve(echo) as server, httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.head("/")
        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "10")
        assert (await http.get("/")).status_code == 200


async def test_an_answer_can_come_piece_by_piece(serve: Serve) -> None:
    go = asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        await responder.start(200)
        await responder.write(b"one")
        await go.wait()
        await responder.write(b"two")
        await responder.finish()

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        head = await client.until(b"one\r\n")
        assert b"two" not in head
        go.set()
        assert await client.until(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"


async def test_close_midway_delivers_what_was_written(serve: Serve, recorder: Recorder) -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        await responder.start(200, length=1_000_000)
        await responder.write(b"x" * 300_000)
        responder.close()

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        assert (await client.rest()).count(b"x" * 1000) == 300
    assert states(recorder) == ["opened", "closed"]


async def test_reset_breaks_the_connection(serve: Serve, recorder: Recorder) -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        responder.reset()

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        with pytest.raises(ConnectionResetError):
            await client.rest()
    assert states(recorder) == ["opened", "closed"]


@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_a_hanging_handler_learns_how_its_client_left(
    serve: Serve, recorder: Recorder, how: str
) -> None:
    gone: asyncio.Future[ClientGone] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        begun.set()
        try:
            await responder.hang()
        except ClientGone as error:
            gone.set_result(error)
            raise

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        await begun.wait()
        if how == "reset":
            client.reset()
        else:
            client.writer.close()
        async with asyncio.timeout(PATIENCE):
            error = await gone
        assert (error.how, error.status) == (how, None)
    assert states(recorder) == ["opened", how]
    assert recorder.history().of(HarnessFault) == []


async def test_writing_to_a_client_that_left_raises(serve: Serve, recorder: Recorder) -> None:
    gone: asyncio.Future[ClientGone] = asyncio.get_running_loop().create_future()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        await responder.start(200)
        try:
            while True:
                await responder.write(b"drop")
                await responder.sleep(0.01)
        except ClientGone as error:
            gone.set_result(error)

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        await client.until(b"drop")
        client.writer.close()
        async with asyncio.timeout(PATIENCE):
            assert (await gone).status == 200


async def test_a_client_that_reads_nothing_holds_the_writer_back(serve: Serve) -> None:
    written = 0
    gone = asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        nonlocal written
        await responder.start(200)
        try:
            while True:
                await responder.write(bytes(1_000_000))
                written += 1
        except ClientGone:
            gone.set()

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        await client.until(b"\r\n\r\n")
        # Only what the sockets' buffers hold: nobody reads on.
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.1)
        assert written < 50
        client.reset()
        async with asyncio.timeout(PATIENCE):
            await gone.wait()


async def test_sleep_ends_by_itself_while_the_client_stays(serve: Serve) -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        await responder.sleep(0.2)
        await responder.send(200)

    async with serve(handler) as server, httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/")
        assert answer.elapsed.total_seconds() >= 0.2


async def test_a_handler_can_wait_for_an_event(serve: Serve) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        begun.set()
        await responder.wait(go)
        await responder.send(200)

    async with serve(handler) as server, httpx.AsyncClient(base_url=server.url) as http:
        asking = asyncio.create_task(http.get("/"))
        await begun.wait()
        await asyncio.sleep(0.1)
        assert not asking.done()
        go.set()
        assert (await asking).status_code == 200


async def test_waiting_for_an_event_ends_with_the_client(serve: Serve, recorder: Recorder) -> None:
    gone: asyncio.Future[ClientGone] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        begun.set()
        try:
            await responder.wait(asyncio.Event())
        except ClientGone as error:
            gone.set_result(error)
            raise

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        await begun.wait()
        client.writer.close()
        async with asyncio.timeout(PATIENCE):
            assert (await gone).how == "eof"
    assert recorder.history().of(HarnessFault) == []


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3E9\r\n" + bytes(1001)]
)
async def test_a_large_body_is_refused(recorder: Recorder, head: bytes) -> None:
    refused: list[HttpRequest] = []
    server = HttpServer(echo, recorder, "litellm", max_body=1000, too_large=refused.append)
    async with server, connect(server) as client:
        await client.send(b"POST /there HTTP/1.1\r\nHost: x\r\n" + head)
        assert (await client.rest()).startswith(b"HTTP/1.1 413")
    assert [(one.method, one.path, one.body) for one in refused] == [("POST", "/there", b"")]


async def test_a_body_in_very_many_pieces_is_refused(recorder: Recorder) -> None:
    async with HttpServer(echo, recorder, "litellm") as server, connect(server) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send(b"1\r\nx\r\n" * (MOST_PIECES + 1))
        assert (await client.rest()).startswith(b"HTTP/1.1 413")


async def test_a_client_that_goes_on_sending_still_reads_the_refusal(recorder: Recorder) -> None:
    async with HttpServer(echo, recorder, "litellm", max_body=1000) as server, connect(server) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        await client.send(bytes(5_000_000))
        assert (await client.rest()).startswith(b"HTTP/1.1 413")


async def test_a_body_up_to_the_limit_is_served(recorder: Recorder) -> None:
    async with HttpServer(echo, recorder, "litellm", max_body=1000) as server, httpx.AsyncClient() as http:
        assert (await http.post(server.url, content=bytes(1000))).status_code == 200


async def test_what_is_no_http_gets_400(serve: Serve) -> None:
    async with serve(echo) as server, connect(server) as client:
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400")


async def test_a_half_sent_request_starts_no_handler(serve: Serve, recorder: WatchedRecorder) -> None:
    started = False

    async def handler(request: HttpRequest, responder: Responder) -> None:
        nonlocal started
        started = True

    async with serve(handler) as server:
        async with connect(server) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await recorder.until(lambda: states(recorder) == ["opened", "eof"])
    assert not started


async def test_a_failing_handler_is_a_fault_of_the_lab(serve: Serve, recorder: Recorder) -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        raise LookupError("a bug")

    async with serve(handler) as server, connect(server) as client:
        await client.send(HELLO)
        assert await client.rest() == b""
    [fault] = recorder.history().of(HarnessFault)
    assert "LookupError('a bug')" in fault.reason


async def test_leaving_breaks_off_handlers_and_connections(recorder: WatchedRecorder) -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    async def handler(request: HttpRequest, responder: Responder) -> None:
        begun.set()
        try:
            await responder.hang()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    tasks = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as stack:
        async with HttpServer(handler, recorder, "litellm") as server:
            busy, idle = [await stack.enter_async_context(connect(server)) for _ in range(2)]
            await busy.send(HELLO)
            await begun.wait()
            await recorder.until(lambda: states(recorder, 2) == ["opened"])
        assert cancelled.is_set()
        assert await busy.rest() == b""
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
    assert states(recorder, 1) == states(recorder, 2) == ["opened", "closed"]
    assert asyncio.all_tasks() == tasks
    gc.collect()


async def test_a_given_port_is_taken_again_at_once(recorder: Recorder) -> None:
    async with HttpServer(echo, recorder, "litellm") as first, httpx.AsyncClient() as http:
        await http.get(first.url)
    async with HttpServer(echo, recorder, "litellm", port=first.port) as second, httpx.AsyncClient() as http:
        assert second.port == first.port
        assert (await http.get(second.url)).status_code == 200


async def test_a_hundred_clients_at_once(serve: Serve, recorder: Recorder) -> None:
    together = asyncio.Event()
    waiting = 0

    async def handler(request: HttpRequest, responder: Responder) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 100:
            together.set()
        await together.wait()
        await responder.send(200, request.path.encode())

    async def ask(http: httpx.AsyncClient, n: int) -> bool:
        return (await http.get(f"/{n}")).text == f"/{n}"

    limits = httpx.Limits(max_connections=100)
    async with serve(handler) as server, httpx.AsyncClient(base_url=server.url, limits=limits) as http:
        asked: list[Awaitable[bool]] = [ask(http, n) for n in range(100)]
        assert all(await asyncio.gather(*asked))
    assert len({event.connection for event in recorder.history().of(Connection)}) == 100
