"""The lab's HTTP client: one connection a request, every socket event observed, everything recorded.

A general client hides what experiments are about: which address a request came from, an answer that arrives
while the body is still being sent, and whether a connection ended by FIN, RST or patience.
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import h11

from chaos.history import Answer, Failure, Request
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder

ANSWER_BYTES = 256 * 1024
HEADER_BYTES = 64 * 1024
RECORDED_BODY = 2 * 1024
"""Bytes of a request's body that a history keeps: enough for every prompt, and not for a body that is large on purpose."""

MOST_PIECES = 20_000
"""Of all answers in an experiment: chunks of their bodies, and answers with 1xx before them. To read one costs the lab a
hundred times what it costs to send it, and a lab that is kept busy can time nothing."""
TOO_MANY_PIECES = f"the service has sent more than {MOST_PIECES} pieces of answers"

P = TypeVar("P", bound=asyncio.Protocol)

Error = Literal["refused", "reset", "eof", "timeout", "aborted", "malformed"]


class Client:
    """Sends requests to one service and records each with what came of it."""

    def __init__(
        self,
        url: str,
        recorder: Recorder,
        network: Network = LOOPBACK,
        *,
        numbers: Iterator[int] | None = None,
        pieces: "Pieces | None" = None,
    ) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._host, self._port, self._authority = address.hostname, address.port, address.netloc
        self.recorder = recorder
        self._network = network
        self._sources = network.sources()
        self._numbers = numbers or itertools.count(1)
        self.pieces = pieces or Pieces()

    def of(self, url: str) -> Self:
        """Return a client of another instance of the service, whose requests are numbered in one row with these."""
        return type(self)(url, self.recorder, self._network, numbers=self._numbers, pieces=self.pieces)

    @property
    def host(self) -> str:
        return self._host

    @property
    def port(self) -> int:
        return self._port

    async def request(
        self,
        method: str,
        path: str,
        *,
        label: str,
        body: bytes | Sequence[bytes] = b"",
        chunked: bool = False,
        withheld: int = 0,
        headers: Mapping[str, str] | None = None,
        raw_headers: bytes = b"",
        token: str | None = None,
        key: str | None = None,
        timeout: float = 10.0,
        abort_after: float | None = None,
        source: str | None = None,
    ) -> Answer | Failure:
        """Send one request and wait at most `timeout` seconds for the whole answer.

        A body given in pieces is sent piece by piece, with `chunked` in chunked encoding. With `withheld` it is never
        completed: so many bytes more than it has are announced, or are still to come in chunks. After `abort_after`
        seconds without an answer the client hangs up. It comes from the address `source`, by default from the next one
        in turn. `raw_headers` are whole lines that go out as they are behind the other headers: a header that is sent
        twice, or one that HTTP does not allow. Never raises for what the service or network does.
        """
        pieces = [body] if isinstance(body, bytes) else list(body)
        size = sum(map(len, pieces)) + withheld
        source = source or self.next_source()
        head = self.head(
            method, path, size, {"connection": "close", **(headers or {})}, token, chunked=chunked
        )
        number = self.record_request(
            method,
            path,
            label=label,
            key=key,
            source=source,
            size=size,
            body=pieces[0] if pieces else b"",
            headers=headers,
            authorized=token is not None,
        ).request
        started = self.recorder.now()
        patience = timeout if abort_after is None else min(timeout, abort_after)
        outcome = await self._exchange(head, raw_headers, pieces, source, patience, whole=not withheld)
        elapsed = round(self.recorder.now() - started, 6)
        if isinstance(outcome, _Broken):
            error: Error = "aborted" if outcome.error == "timeout" and patience != timeout else outcome.error
            return self.recorder.record(
                Failure(request=number, error=error, detail=outcome.detail, elapsed=elapsed)
            )
        return self.recorder.record(outcome.answer(number, elapsed))

    async def json(
        self, method: str, path: str, content: Mapping[str, Any], *, label: str, **options: Any
    ) -> Answer | Failure:
        """Send `content` as JSON; options as in `request`."""
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        body = json.dumps(content).encode()
        return await self.request(method, path, label=label, body=body, headers=headers, **options)

    def next_source(self) -> str:
        """Return the address that the next connection comes from."""
        return next(self._sources)

    async def connect(self, protocol: Callable[[], P], source: str) -> P:
        """Open a connection to the service from `source`; raises OSError where it takes none."""
        loop = asyncio.get_running_loop()
        connecting = self._network.socket()
        try:
            connecting.setblocking(False)
            connecting.bind((source, 0))
            await loop.sock_connect(connecting, (self._host, self._port))
            _, connected = await loop.create_connection(protocol, sock=connecting)
        except BaseException:
            connecting.close()
            raise
        return connected

    def record_request(
        self,
        method: str,
        path: str,
        *,
        label: str,
        key: str | None,
        source: str,
        size: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        authorized: bool = False,
    ) -> Request:
        """Record a request of `size` bytes of body that is about to be sent, with the headers that were asked for.

        `body` is its beginning, of which `RECORDED_BODY` bytes are kept.
        """
        return self.recorder.record(
            Request(
                request=next(self._numbers),
                label=label,
                method=method,
                path=path,
                key=key,
                source=source,
                body_bytes=size,
                body=body[:RECORDED_BODY].decode(errors="replace"),
                headers=dict(headers or {}),
                authorized=authorized,
            )
        )

    def head(
        self,
        method: str,
        path: str,
        size: int,
        extra: Mapping[str, str],
        token: str | None,
        *,
        chunked: bool = False,
    ) -> h11.Request:
        """Return the head of a request with `size` bytes of body."""
        headers = {"host": self._authority, "user-agent": "lab", "accept": "*/*"}
        if chunked:
            headers["transfer-encoding"] = "chunked"
        elif size:
            headers["content-length"] = str(size)
        if token:
            headers["authorization"] = f"Bearer {token}"
        # As HTTP has it (RFC 9110, 5.5): a value may hold bytes above ASCII.
        fields = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in {**headers, **extra}.items()
        ]
        return h11.Request(method=method, target=path, headers=fields)

    async def _exchange(
        self,
        head: h11.Request,
        raw_headers: bytes,
        pieces: Sequence[bytes],
        source: str,
        timeout: float,
        *,
        whole: bool,
    ) -> "Received | _Broken":
        link: _Link | None = None
        try:
            async with asyncio.timeout(timeout):
                link = await self.connect(lambda: _Link(self.pieces), source)
                sending = asyncio.create_task(link.send(head, raw_headers, pieces, whole=whole))
                try:
                    return await asyncio.shield(link.done)
                finally:
                    sending.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await sending
        except TimeoutError:
            return _Broken("timeout", f"no whole answer within {timeout:g} s")
        except ConnectionRefusedError:
            return _Broken("refused", "connection refused")
        except OSError as error:
            return _Broken("reset", str(error))
        finally:
            if link:
                link.hang_up()


class Received:
    """An answer in the making."""

    def __init__(self, response: h11.Response) -> None:
        self.status = response.status_code
        self.headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self.body = bytearray()
        self.cut = False

    def append(self, data: bytes) -> None:
        room = ANSWER_BYTES - len(self.body)
        self.body += data[:room]
        self.cut = self.cut or len(data) > room

    def answer(self, request: int, elapsed: float) -> Answer:
        """Return what was received as the answer to a request."""
        return Answer(
            request=request,
            status=self.status,
            headers=self.headers,
            body=self.body.decode(errors="replace"),
            cut=self.cut,
            elapsed=elapsed,
        )


class Pieces:
    """Counts the pieces of a service's answers."""

    def __init__(self) -> None:
        self._left = MOST_PIECES

    def count(self) -> None:
        """Count a piece. Raises h11.RemoteProtocolError if it is one too many."""
        self._left -= 1
        if self._left < 0:
            raise h11.RemoteProtocolError(TOO_MANY_PIECES)


class _Broken:
    def __init__(self, error: Error, detail: str) -> None:
        self.error = error
        self.detail = detail


class _Link(asyncio.Protocol):
    """One connection. `done` is set once, by the whole answer or by what broke it, whichever comes first."""

    def __init__(self, pieces: Pieces) -> None:
        self.done: asyncio.Future[Received | _Broken] = asyncio.get_running_loop().create_future()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)
        self._writable = asyncio.Event()
        self._writable.set()
        self._received: Received | None = None
        self._pieces = pieces
        self._transport: asyncio.Transport

    async def send(
        self, head: h11.Request, raw_headers: bytes, pieces: Sequence[bytes], *, whole: bool
    ) -> None:
        """Send the request, without the end of its body unless `whole`.

        Gives way to reading between the pieces, for an answer may come early.
        """
        self._write(head, raw_headers)
        for piece in pieces:
            for start in range(0, len(piece), 65536):
                self._write(h11.Data(data=piece[start : start + 65536]))
                await self._writable.wait()
                await asyncio.sleep(0)
                if self.done.done():
                    return
        if whole:
            self._write(h11.EndOfMessage())

    def hang_up(self) -> None:
        self._transport.abort() if self._transport.get_write_buffer_size() else self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._feed(data)

    def eof_received(self) -> None:
        self._feed(b"")

    def connection_lost(self, error: Exception | None) -> None:
        self._writable.set()
        if error:
            if unread := self._unread():
                self._feed(unread)
            self._finish(_Broken("reset", str(error)))
        else:
            self._finish(_Broken("eof", "the connection was closed before the whole answer"))

    def _unread(self) -> bytes:
        """Return what has arrived and was not read yet.

        A server that answers and closes while a body is still on its way resets the connection. Writing then fails,
        and asyncio gives the connection up, though the whole answer may have come before the reset.
        """
        data = bytearray()
        lost = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(lost.fileno())) as twin:
            while piece := twin.recv(65536, socket.MSG_DONTWAIT):
                data += piece
        return bytes(data)

    def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage, raw_headers: bytes = b"") -> None:
        if not self._transport.is_closing() and (data := self._http.send(event)):
            self._transport.write(data.removesuffix(b"\r\n") + raw_headers + b"\r\n" if raw_headers else data)

    def _feed(self, data: bytes) -> None:
        if self.done.done():
            return
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as error:
            kind: Error = "eof" if not data else "malformed"
            self._finish(_Broken(kind, str(error)))

    def _read_events(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            match event:
                case h11.InformationalResponse():
                    self._pieces.count()
                case h11.Response():
                    self._received = Received(event)
                case h11.Data():
                    self._pieces.count()
                    assert self._received
                    self._received.append(bytes(event.data))
                case h11.EndOfMessage():
                    assert self._received
                    self._finish(self._received)
                    return
                case h11.ConnectionClosed():
                    self._finish(_Broken("eof", "the connection was closed before an answer"))
                    return

    def _finish(self, outcome: Received | _Broken) -> None:
        if not self.done.done():
            self.done.set_result(outcome)
