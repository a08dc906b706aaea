"""Whether a fault proxy passes bytes on as they are: asked of each server before anybody is graded with it.

A proxy that loses or changes a byte makes faults that nobody has ordered, and they look like the service's own.
"""

import asyncio
import contextlib
import random

from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.ports import free_port
from chaos.toxiproxy import Toxiproxy

NAME = "check"
SIZES = (*(8 + 97 * number for number in range(30)), 2**20, 2**20)
"""Bytes that each connection sends: many small messages, as requests are, and some that fill every buffer."""
SECONDS = 10.0
CHUNK_BYTES = 2**16


async def check_bytes(client: Toxiproxy, network: Network = LOOPBACK, *, seed: int) -> None:
    """Send random bytes through a proxy, both ways, on many connections at once.

    Raises OSError where what comes back is not what was sent.
    """
    source = random.Random(seed)  # noqa: S311 - must be replayable, need not be secret
    payloads = [source.randbytes(size) for size in SIZES]
    listener = network.socket()
    listener.bind((LOOPBACK_ADDRESS, 0))
    listen = f"{network.address}:{free_port(network.address, network.socket)}"
    async with await asyncio.start_server(_echo, sock=listener) as server:
        upstream = f"{LOOPBACK_ADDRESS}:{listener.getsockname()[1]}"
        proxy = await client.create(NAME, upstream, listen=listen)
        try:
            address = (proxy.host, proxy.port)
            async with asyncio.timeout(SECONDS):
                answers = await asyncio.gather(*(_exchange(network, address, one) for one in payloads))
        except TimeoutError:
            raise OSError(f"it did not pass on what it was sent within {SECONDS:.0f} s; {_ADVICE}") from None
        finally:
            await proxy.delete()
        server.close()
    wrong = [(sent, got) for sent, got in zip(payloads, answers, strict=True) if sent != got]
    if wrong:
        sent, got = wrong[0]
        raise OSError(
            f"it does not pass bytes on as they are: on {len(wrong)} of {len(payloads)} connections something else came"
            f" back, such as {len(got)} bytes for {len(sent)}; {_ADVICE}"
        )


_ADVICE = "install toxiproxy-server (`make real-toxiproxy`), or use another version of Python"


async def _exchange(network: Network, address: tuple[str, int], payload: bytes) -> bytes:
    """Send a payload as soon as there is a connection; returns what came back, up to its length."""
    loop = asyncio.get_running_loop()
    with network.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        sending = asyncio.ensure_future(loop.sock_sendall(sock, payload))
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while len(received) < len(payload) and (data := await loop.sock_recv(sock, CHUNK_BYTES)):
                received += data
        sending.cancel()
        await asyncio.wait([sending])
        return bytes(received)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
