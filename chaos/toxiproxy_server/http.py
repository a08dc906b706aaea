"""As much of an HTTP/1.1 server as the control API needs."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h11

IDLE_SECONDS: Final = 60.0
"""How long a connection may wait for its next whole request."""

WRITE_SECONDS: Final = 30.0

MAX_BODY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; without a content type there is no body."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str | None = None
    request_id: str | None = None


Handler = Callable[[Request], Awaitable[Response]]


async def serve(sock: socket.socket, handle: Handler) -> asyncio.Server:
    """Answer requests on a listening socket; closing the server leaves open conversations to the event loop's end."""
    conversations: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: before Python 3.12, asyncio's stream server complains when its task is cancelled.
        task = asyncio.create_task(converse(reader, writer, handle))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    return await asyncio.start_server(begin, sock=sock)


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    """Answer the requests of one connection until either side ends it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while connection.our_state is not h11.MUST_CLOSE:
            async with asyncio.timeout(IDLE_SECONDS):
                request = await _receive(connection, reader, writer)
            if request is None:
                break
            response = await handle(request)
            async with asyncio.timeout(WRITE_SECONDS):
                await _send(connection, writer, response)
            if connection.our_state is h11.DONE:
                connection.start_next_cycle()
    except h11.RemoteProtocolError as exc:
        if connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await _send(connection, writer, Response(HTTPStatus(exc.error_status_hint)))
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request; None where the client is done. Raises h11.RemoteProtocolError on what is none."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise h11.RemoteProtocolError("too long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            path = head.target.decode("ascii").partition("?")[0]
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode("ascii"), path, headers, bytes(body))
        else:
            return None


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> None:
    headers = []
    if response.status is not HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(response.body))))
    if response.content_type is not None:
        headers.append(("Content-Type", response.content_type))
    if response.request_id is not None:
        headers.append(("X-Toxiproxy-Request-Id", response.request_id))
    head = h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase.encode())
    events = (head, h11.Data(data=response.body), h11.EndOfMessage())
    writer.write(b"".join(connection.send(event) or b"" for event in events))
    await writer.drain()
