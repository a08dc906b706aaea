"""A check that a Toxiproxy server passes every byte on unchanged, made before anything is graded through it."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Final

from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.toxiproxy.client import Toxiproxy

SHORT_CONNECTIONS: Final = 50
"""Connections that are opened at once: what goes wrong while a proxy dials its upstream is a matter of luck."""
SHORT_BYTES: Final = 500
LONG_CONNECTIONS: Final = 2
LONG_BYTES: Final = 1_000_000
GREETING_BYTES: Final = 100
LIMIT_SECONDS: Final = 10.0
"""Seconds after which bytes that have not come count as lost; all of them take 0.1 s on an idle machine."""
_READ_BYTES: Final = 64 * 1024


async def check_bytes(server: Toxiproxy, network: Network = LOOPBACK) -> None:
    """Send random bytes both ways through new proxies of `server`, which listens in `network`, and compare.

    One proxy has no toxics and one has a `noop` each way. The upstream greets each client and then echoes it; clients
    send as soon as they are connected. Raises OSError if anything is lost or changed, ToxiproxyError if the server
    refuses a call.
    """
    greeting = secrets.token_bytes(GREETING_BYTES)
    async with _upstream(network, greeting) as upstream:
        plain = await server.create("plain", upstream, listen=f"{network.address}:0")
        noop = await server.create("noop", upstream, listen=f"{network.address}:0")
        await noop.add_toxic("noop", stream="upstream")
        await noop.add_toxic("noop", stream="downstream")
        for proxy in (plain, noop):
            await _check_port(network, proxy.port, greeting)
            await proxy.delete()


async def _check_port(network: Network, port: int, greeting: bytes) -> None:
    sizes = [SHORT_BYTES] * SHORT_CONNECTIONS + [LONG_BYTES] * LONG_CONNECTIONS
    payloads = [secrets.token_bytes(size) for size in sizes]
    answers = await asyncio.gather(*(_exchange(network, port, payload, greeting) for payload in payloads))
    for payload, answer in zip(payloads, answers, strict=True):
        if answer != greeting + payload:
            raise OSError(_describe(greeting + payload, answer))


def _describe(sent: bytes, received: bytes) -> str:
    what = f"of {len(sent)} bytes {len(received)} arrived"
    if len(received) == len(sent):
        what = f"{len(sent)} bytes arrived changed"
    return f"the grader's own fault proxy, not the submission, fails to pass data on ({what})"


async def _exchange(network: Network, port: int, payload: bytes, greeting: bytes) -> bytes:
    """Send `payload` on a new connection; returns what comes back, up to the size of the greeting and the payload."""
    received = bytearray()

    async def receive() -> None:
        while len(received) < len(greeting) + len(payload):
            if not (data := await loop.sock_recv(client, _READ_BYTES)):
                return
            received.extend(data)

    loop = asyncio.get_running_loop()
    with network.socket() as client:
        client.setblocking(False)
        try:
            async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
                await loop.sock_connect(client, (network.address, port))
                group.create_task(receive())
                group.create_task(loop.sock_sendall(client, payload))
        except* OSError:  # a timeout too: what is missing tells
            pass
    return bytes(received)


@contextlib.asynccontextmanager
async def _upstream(network: Network, greeting: bytes) -> AsyncIterator[str]:
    """Greet each client and echo what it sends; yields the address, which only the lab can reach."""
    loop = asyncio.get_running_loop()
    conversations: list[asyncio.Task[None]] = []
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(network.socket())
        listener.setblocking(False)
        listener.bind((LOOPBACK_ADDRESS, 0))
        listener.listen(SHORT_CONNECTIONS + LONG_CONNECTIONS)

        def accept() -> None:
            # Not by `sock_accept`: a connection that it has just accepted is left open when it is cancelled.
            with contextlib.suppress(OSError):
                connection = sockets.enter_context(listener.accept()[0])
                conversations.append(loop.create_task(_greet_and_echo(connection, greeting)))

        loop.add_reader(listener, accept)
        try:
            yield f"{LOOPBACK_ADDRESS}:{listener.getsockname()[1]}"
        finally:
            loop.remove_reader(listener)
            for conversation in conversations:
                conversation.cancel()
            await asyncio.gather(*conversations, return_exceptions=True)


async def _greet_and_echo(connection: socket.socket, greeting: bytes) -> None:
    loop = asyncio.get_running_loop()
    connection.setblocking(False)
    with connection, contextlib.suppress(OSError):
        await loop.sock_sendall(connection, greeting)
        while data := await loop.sock_recv(connection, _READ_BYTES):
            await loop.sock_sendall(connection, data)
