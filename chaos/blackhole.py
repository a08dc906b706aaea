"""A port that takes no connection and refuses none: the SYN gets no answer.

This is what a firewalled or vanished host looks like. A listener whose accept queue is full does the same on
loopback: Linux drops further SYNs, so a client meets its own connect timeout.
"""

import contextlib
import socket
from typing import Self

from chaos.network import LOOPBACK, Network


class Blackhole:
    """Holds `host:port` with a full accept queue from `open` to `close`."""

    def __init__(self, host: str, port: int, network: Network = LOOPBACK) -> None:
        self._address = (host, port)
        self._network = network
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        """Take the port and fill its queue; raises OSError where the port is taken."""
        listener = self._network.socket()
        self._sockets.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self._address)
        listener.listen(0)
        # A queue of length 0 still takes one connection; the others stay half-open, which is harmless.
        for _ in range(3):
            filler = self._network.socket()
            self._sockets.append(filler)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(self._address)

    def close(self) -> None:
        """Give the port back."""
        while self._sockets:
            self._sockets.pop().close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
