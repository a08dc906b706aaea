"""One socket of a connection: the beginning of one chain and the end of the other."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from chaos.toxiproxy_server.chain import NOWHERE, Inlet, Outlet
from chaos.toxiproxy_server.chunk import CHUNK_BYTES, Chunk
from chaos.toxiproxy_server.metrics import Traffic

CLOSE_WITH_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER switched on with no time to linger: closing discards what is unsent and sends RST."""


class Endpoint(asyncio.BufferedProtocol):
    """Feeds what the socket receives to `next`, and sends to the socket what it is fed.

    Before its socket is connected it is full: it keeps what it is fed all the same and sends it once connected. So the
    other endpoint of a connection may begin to read early, which not every Python's asyncio can prevent
    (https://github.com/python/cpython/issues/103607). There is no half-close: the end of either chain closes the socket.
    """

    def __init__(self, opened: Callable[["Endpoint"], None] | None = None) -> None:
        self.next: Inlet = NOWHERE
        self.previous: Outlet = NOWHERE
        self.full = True
        self.finished = False
        self.inbound = Traffic()
        self.outbound = Traffic()
        self.closed = asyncio.Event()
        self.closed.set()
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._early: list[Chunk] = []
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        self._time = asyncio.get_running_loop().time

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.closed.clear()
        # Buffers belong to the kernel and to toxics: `full` is to mean that the kernel's is.
        self._transport.set_write_buffer_limits(high=0)
        self.full = False
        if self._opened is not None:
            self._opened(self)
        while self._early:
            self._send(self._transport, self._early.pop(0))
        if self.finished:
            self.finish()
        elif not self.full:
            self.previous.resume()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (the protocol's signature)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.inbound.received += nbytes
        self.next.feed(Chunk(memoryview(bytes(self._buffer[:nbytes])), self._time()))
        if self.next.full and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self.next.finish()
        return True  # stay open for what the other chain still has to send

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self.finished and self._transport is not None:
            # Not from within the transport's own write: it would close twice.
            asyncio.get_running_loop().call_soon(self._transport.close)
        else:
            self.previous.resume()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        self._transport = None
        self.full = False
        self.finished = True
        self.next.finish()
        self.previous.resume()
        self.closed.set()

    # What its neighbours in the chains call.

    def feed(self, chunk: Chunk) -> None:
        if self.finished:
            return
        if self._transport is None:
            self._early.append(chunk)
        else:
            self._send(self._transport, chunk)

    def finish(self) -> None:
        self.finished = True
        if self._transport is not None and not self.full:
            self._transport.close()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self.next.full:
            self._transport.resume_reading()

    # What its connection calls.

    def close_with_reset(self) -> None:
        """Whenever the socket closes, let it be with RST."""
        if self._transport is not None and not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RESET)

    def is_connected_to_itself(self) -> bool:
        """Whether the kernel joined the socket to its own port, as it may where nobody listens on loopback."""
        if self._transport is None:
            return False
        return bool(self._transport.get_extra_info("sockname") == self._transport.get_extra_info("peername"))

    def abort(self) -> None:
        """Close now, whatever is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, transport: asyncio.Transport, chunk: Chunk) -> None:
        self.outbound.sent += len(chunk.data)
        transport.write(chunk.data)
