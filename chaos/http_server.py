"""A small HTTP/1.1 server that leaves its handler in control of the socket.

Where other servers protect a handler from the connection, this one hands it over: an answer can be sent piece by
piece, stopped midway, reset, or withheld until the client has hung up, and how the client hung up is told.
"""

import asyncio
import itertools
import json
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Self

import h11

from chaos.history import Connection, HarnessFault, Upstream
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder

MAX_BODY_BYTES = 16 * 1024 * 1024
MOST_PIECES = 10_000
"""Of one body: to read a chunk of a byte costs a hundred times what it costs to send it."""

_BACKLOG = 1024
_MAX_HEAD_BYTES = 64 * 1024
_REFUSAL_PATIENCE_S = 5.0

Headers = Iterable[tuple[str, str]]
Handler = Callable[["HttpRequest", "Responder"], Coroutine[Any, Any, None]]
TooLarge = Callable[["HttpRequest"], None]


class ClientGone(Exception):  # noqa: N818 - an outcome that handlers expect, not an error
    """The client hung up before its answer was complete, by `eof` or `reset`.

    `status` is that of the answer that had begun, None where none had.
    """

    def __init__(self, how: Literal["eof", "reset"], status: int | None) -> None:
        super().__init__(f"the client went away ({how})")
        self.how = how
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request; `connection` is the number of the connection that it came on. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)


class Responder:
    """Answers one request, as slowly, as partially or as rudely as its handler wants.

    Everything that waits or writes raises ClientGone once the client has hung up.
    """

    def __init__(self, connection: "_Connection", *, head_only: bool) -> None:
        self._connection = connection
        self._head_only = head_only
        self.status: int | None = None
        """The status that was sent, None before."""

    async def send(self, status: int, body: bytes = b"", *, headers: Headers = ()) -> None:
        """Send a whole answer."""
        await self.start(status, headers=headers, length=len(body))
        await self.write(body)
        await self.finish()

    async def start(self, status: int, *, headers: Headers = (), length: int | None = None) -> None:
        """Send the head alone: with `length` as the promised size of the body, chunked without."""
        framing = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
        self.status = status
        await self._connection.send(h11.Response(status_code=status, headers=[*headers, framing]))

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, and wait while the client is too slow to take it."""
        if data and not self._head_only:
            await self._connection.send(h11.Data(data=data))

    async def write_raw(self, data: bytes) -> None:
        """Send bytes as they are, whatever HTTP expects there. The connection is closed once its handler is done."""
        await self._connection.send_raw(data)

    def dripping(self, interval: float) -> "Responder":
        """Return a responder for the same request whose `send` never comes to an end."""
        return _DrippingResponder(self._connection, head_only=self._head_only, interval=interval)

    async def finish(self) -> None:
        """End the answer; the connection stays open if both sides want that."""
        await self._connection.send(h11.EndOfMessage())

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the client does."""
        await self._connection.sleep(seconds)

    async def wait(self, event: asyncio.Event) -> None:
        """Wait until `event` is set, but no longer than the client does."""
        await self._connection.wait(event)

    async def hang(self) -> NoReturn:
        """Wait for the client to give up, which raises ClientGone."""
        await self._connection.sleep(None)
        raise AssertionError("an endless sleep ended with the client still there")

    def close(self) -> None:
        """Send what was written, then close the connection (FIN), however much of the answer is missing."""
        self._connection.close()

    def reset(self) -> None:
        """Break the connection at once (RST); what was written and not yet delivered is lost."""
        self._connection.reset()


class _DrippingResponder(Responder):
    """Sends a byte of a body every `interval` seconds: time-outs that count from the last byte never strike."""

    def __init__(self, connection: "_Connection", *, head_only: bool, interval: float) -> None:
        super().__init__(connection, head_only=head_only)
        self._interval = interval

    async def send(self, status: int, body: bytes = b"", *, headers: Headers = ()) -> None:
        """Send an answer, with blanks behind its body until the client hangs up."""
        await self.start(status, headers=headers)
        for byte in itertools.chain(body, itertools.repeat(ord(" "))):
            await self.write(bytes([byte]))
            await self.sleep(self._interval)


class HttpServer:
    """Serves `handler` on a port of a network's for as long as its context is entered.

    Each connection is recorded as opened, and as ended by `eof` or `reset` of the client or `closed` by the server.
    An exception of the handler's is the lab's own fault and recorded as such. Bodies over `max_body` bytes, or in more
    than 10,000 pieces, are answered 413, and `too_large` is called with the request, without its body. Leaving the
    context breaks off every handler and closes every connection.
    """

    def __init__(
        self,
        handler: Handler,
        recorder: Recorder,
        upstream: Upstream,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        network: Network = LOOPBACK,
        max_body: int = MAX_BODY_BYTES,
        too_large: TooLarge | None = None,
    ) -> None:
        self.handler = handler
        self.recorder = recorder
        self.upstream = upstream
        self.host = host
        self.port = port
        self.network = network
        self.max_body = max_body
        self.too_large = too_large
        self.connections: set[_Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._opened = 0
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the server listens, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    def next_connection(self) -> int:
        """The number of a new connection; they count from 1."""
        self._opened += 1
        return self._opened

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        listening = self.network.socket()
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self.host, self.port))
            self._listener = await loop.create_server(
                lambda: _Connection(self), sock=listening, backlog=_BACKLOG
            )
        except BaseException:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        # Handlers first: the end of the lab must not look to them like a client that went away.
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        connections = list(self.connections)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.lost.wait()
        await self._listener.wait_closed()


class _Connection(asyncio.Protocol):
    """One connection: parses requests, runs the handler for one at a time, and watches the client all the while."""

    def __init__(self, server: HttpServer) -> None:
        self.lost = asyncio.Event()
        self._server = server
        self._number = server.next_connection()
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._pieces = 0
        self._pipelined = 0
        self._responder: Responder | None = None
        self._gone: Literal["eof", "reset"] | None = None
        self._ended = False
        self._left = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._refusal: asyncio.TimerHandle | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        self._record("opened")

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        try:
            self._parser.receive_data(data)
            if self._responder is None:
                self._parse()
            else:
                self._pipelined += len(data)
                if self._pipelined > self._server.max_body:
                    self.abort()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def eof_received(self) -> None:
        self._end("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("closed" if exc is None else "reset")
        if self._refusal is not None:
            self._refusal.cancel()
        self._server.connections.discard(self)
        self.lost.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # The responder's side.

    async def send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        await self.send_raw(self._parser.send(event) or b"")

    async def send_raw(self, data: bytes) -> None:
        self._check_client()
        self._transport.write(data)
        await self._writable.wait()
        self._check_client()

    async def sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._left.wait()
        except TimeoutError:
            return
        self._check_client()

    async def wait(self, event: asyncio.Event) -> None:
        waiting = [asyncio.create_task(one.wait()) for one in (event, self._left)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._check_client()

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        # With a linger time of zero, closing sends RST and drops what is unsent (socket(7), SO_LINGER).
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    def abort(self) -> None:
        self._end("closed")
        self._transport.abort()

    # Between the two.

    def _parse(self) -> None:
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body, self._pieces = event, bytearray(), 0
                if _declared_length(event) > self._server.max_body:
                    return self._refuse_body()
            elif isinstance(event, h11.Data):
                self._body += event.data
                self._pieces += 1
                if len(self._body) > self._server.max_body or self._pieces > MOST_PIECES:
                    return self._refuse_body()
            elif isinstance(event, h11.EndOfMessage):
                return self._handle()
            else:
                if self._parser.they_are_waiting_for_100_continue:
                    self._transport.write(
                        self._parser.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                    )
                return None

    def _request(self, body: bytes) -> HttpRequest:
        assert self._head is not None
        path, _, query = self._head.target.decode("ascii").partition("?")
        return HttpRequest(
            method=self._head.method.decode("ascii"),
            path=path,
            query=query,
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers},
            body=body,
            connection=self._number,
        )

    def _handle(self) -> None:
        request = self._request(bytes(self._body))
        self._responder = Responder(self, head_only=request.method == "HEAD")
        task = asyncio.create_task(self._server.handler(request, self._responder))
        self._server.tasks.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, ClientGone):
            reason = f"the {self._server.upstream} stand-in failed: {error!r}"
            self._server.recorder.record(HarnessFault(reason=reason, reachable=True))
        if self._parser.our_state is not h11.DONE or self._parser.their_state is not h11.DONE:
            self._transport.close()
            return
        self._parser.start_next_cycle()
        self._responder, self._pipelined = None, 0
        try:
            self._parse()
        except h11.RemoteProtocolError as late:
            self._refuse(late.error_status_hint)

    def _refuse_body(self) -> None:
        if self._server.too_large is not None:
            self._server.too_large(self._request(b""))
        self._refuse(413)

    def _refuse(self, status: int) -> None:
        """Answer with an error and close, but read on for a while: closing on unread bytes would reset the answer away."""
        if self._parser.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            head = h11.Response(
                status_code=status, headers=[("content-length", "0"), ("connection", "close")]
            )
            self._transport.write(
                (self._parser.send(head) or b"") + (self._parser.send(h11.EndOfMessage()) or b"")
            )
        loop = asyncio.get_running_loop()
        self._refusal = loop.call_later(_REFUSAL_PATIENCE_S, self._transport.abort)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _check_client(self) -> None:
        if self._gone is not None:
            raise ClientGone(self._gone, self._responder.status if self._responder else None)

    def _end(self, how: Literal["eof", "reset", "closed"]) -> None:
        """Record how the connection ended: by what came first, since each end brings others about."""
        if self._ended:
            return
        self._ended = True
        self._record(how)
        if how != "closed":
            self._gone = how
            self._left.set()
        self._writable.set()

    def _record(self, state: Literal["opened", "eof", "reset", "closed"]) -> None:
        self._server.recorder.record(
            Connection(upstream=self._server.upstream, connection=self._number, state=state)
        )


def _declared_length(head: h11.Request) -> int:
    return next((int(value) for name, value in head.headers if name == b"content-length"), 0)
