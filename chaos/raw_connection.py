"""A connection to the service that the lab holds: idle between two requests, or in the middle of one.

What becomes of it is seen when it happens, whether or not anyone waits for it: that is how a server's farewell to
its clients is told apart from silence.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Literal, Self

import h11

from chaos.history import Answer, Failure, Part, Request, Socket
from chaos.http_client import HEADER_BYTES, Client, Error, Received

End = Literal["refused", "eof", "reset", "closed"]
_WITHOUT_ANSWER: dict[End, Error] = {
    "refused": "refused",
    "eof": "eof",
    "reset": "reset",
    "closed": "aborted",
}


class RawConnection(asyncio.Protocol):
    """Made by `open`. Its opening and its end are recorded, and each request on it with what came of that."""

    def __init__(self, client: Client, label: str, source: str) -> None:
        self.label = label
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        """How the connection ended, once it has."""
        self._client = client
        self._source = source
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)
        self._request: Request | None = None
        self._received: Received | None = None
        self._unreadable = False
        self._outcome: asyncio.Future[Answer | Failure]
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._arrived = asyncio.Event()

    @classmethod
    async def open(cls, client: Client, label: str) -> Self:
        """Connect to the client's service. A refusal is recorded, and what is sent then fails."""
        connection = cls(client, label, client.next_source())
        try:
            await client.connect(lambda: connection, connection._source)
        except OSError:
            connection._end("refused")
        return connection

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        upto: int | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        key: str | None = None,
    ) -> Request:
        """Send a request; with `upto`, its whole head but only so many bytes of its body, until `send_more` or `finish`."""
        head = self._client.head(method, path, len(body), headers or {}, token)
        request = self._begin(method, path, key=key, body=body, headers=headers, authorized=token is not None)
        if self._may_send():
            self._write(head)
            if body:
                self._write(h11.Data(data=body[:upto]))
            if upto is None:
                self._write(h11.EndOfMessage())
            else:
                self._rest = body[upto:]
        return request

    def send_more(self, size: int) -> bool:
        """Send so many more bytes of a body that `send` has sent in part; whether there is still more to send."""
        if self.ended.done() or self._http.our_state is not h11.SEND_BODY or len(self._rest) <= size:
            return False
        self._write(h11.Data(data=self._rest[:size]))
        self._rest = self._rest[size:]
        return True

    def finish(self) -> None:
        """Send the rest of a body that `send` has sent in part; nothing where the connection has ended."""
        if self.ended.done() or self._http.our_state is not h11.SEND_BODY:
            return
        self._write(h11.Data(data=self._rest))
        self._write(h11.EndOfMessage())

    def send_half_a_head(self, method: str, path: str) -> Request:
        """Send the first half of a request's head, and never the rest."""
        request = self._begin(method, path)
        if self._may_send() and self._transport:
            head = self._http.send(self._client.head(method, path, 0, {}, None)) or b""
            self._transport.write(head[: len(head) // 2])
        return request

    async def answer(self, timeout: float) -> Answer | Failure:
        """Wait at most `timeout` seconds for what becomes of the request that was sent last."""
        await asyncio.wait([self._outcome], timeout=timeout)
        if not self._outcome.done():
            self._fail("timeout", f"no whole answer within {timeout:g} s")
        return self._outcome.result()

    async def wait_for_part(self, expected: str, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the answer so far holds a text, and record it; whether it came.

        An answer that is complete by then is no part.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._outcome.done():
                    text = self._received.body.decode(errors="replace") if self._received else ""
                    if self._request and expected in text:
                        self._client.recorder.record(Part(request=self._request.request, text=text))
                        return True
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        return False

    async def wait_end(self, timeout: float) -> End | None:
        """Wait at most `timeout` seconds for the connection's end; None where it is still open."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.ended), timeout)
        return None

    def close(self) -> None:
        """Hang up, with FIN."""
        self._end("closed")
        if self._transport:
            self._transport.close()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._client.recorder.record(Socket(label=self.label, state="opened"))

    def data_received(self, data: bytes) -> None:
        self._feed(data)

    def eof_received(self) -> None:
        self._feed(b"")
        self._end("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self._end("reset" if error else "eof")

    # Between the two.

    def _begin(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        authorized: bool = False,
    ) -> Request:
        self._request = self._client.record_request(
            method,
            path,
            label=self.label,
            key=key,
            source=self._source,
            size=len(body),
            body=body,
            headers=headers,
            authorized=authorized,
        )
        self._outcome = asyncio.get_running_loop().create_future()
        return self._request

    def _may_send(self) -> bool:
        """Whether a request can be sent now; where it cannot, it has failed."""
        if self.ended.done():
            self._fail(_WITHOUT_ANSWER[self.ended.result()])
        elif self._http.states != {h11.CLIENT: h11.IDLE, h11.SERVER: h11.IDLE}:
            self._fail("eof", "the service is about to close the connection")
        else:
            return True
        return False

    def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        assert self._transport
        self._transport.write(self._http.send(event) or b"")

    def _feed(self, data: bytes) -> None:
        if self._unreadable:
            return
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as error:
            self._fail("malformed" if data else "eof", str(error))
            self._unreadable = True
        self._arrived.set()

    def _read_events(self) -> None:
        while True:
            match self._http.next_event():
                case h11.Response() as head:
                    self._received = Received(head)
                case h11.Data(data=data) if self._received:
                    self._client.pieces.count()
                    self._received.append(bytes(data))
                case h11.EndOfMessage() if self._received:
                    self._succeed(self._received)
                case h11.InformationalResponse():
                    self._client.pieces.count()
                case _:
                    return

    def _succeed(self, received: Received) -> None:
        self._received = None
        if self._request:
            self._finish(received.answer(self._request.request, self._elapsed(self._request)))
        if {*self._http.states.values()} == {h11.DONE}:
            self._http.start_next_cycle()

    def _fail(self, error: Error, detail: str = "") -> None:
        if self._request:
            elapsed = self._elapsed(self._request)
            self._finish(Failure(request=self._request.request, error=error, detail=detail, elapsed=elapsed))

    def _finish(self, outcome: Answer | Failure) -> None:
        self._request = None
        self._outcome.set_result(self._client.recorder.record(outcome))

    def _elapsed(self, request: Request) -> float:
        return round(self._client.recorder.now() - request.t, 6)

    def _end(self, how: End) -> None:
        """Record how the connection ended: by what came first, since each end brings others about."""
        if self.ended.done():
            return
        self._client.recorder.record(Socket(label=self.label, state=how))
        self._arrived.set()
        self.ended.set_result(how)
        self._fail(_WITHOUT_ANSWER[how])
