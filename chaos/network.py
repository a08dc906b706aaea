"""The network in which a service and its lab meet: this machine's loopback, or one that containers are in."""

import itertools
import socket
import sys
from collections.abc import Iterator
from typing import Final, Protocol

LOOPBACK_ADDRESS: Final = "127.0.0.1"


class Network(Protocol):
    """Opens the lab's sockets, on either side of a service.

    What a service may reach listens on `address`, which is the lab's; what it may not, on 127.0.0.1.
    """

    @property
    def address(self) -> str:
        """The lab's address, as the service sees it."""

    def sources(self) -> Iterator[str]:
        """Yield addresses for the lab's clients in turn, so that no one address meets a service's rate limit."""

    def socket(self) -> socket.socket:
        """Return a new TCP socket in this network. Raises OSError."""


class Loopback:
    """The loopback interface of this machine, with the service as one of its processes."""

    @property
    def address(self) -> str:
        return LOOPBACK_ADDRESS

    def sources(self) -> Iterator[str]:
        """Yield other addresses than the lab's; Linux answers on all of 127.0.0.0/8, elsewhere there is only one."""
        if sys.platform == "linux":
            return itertools.cycle(f"127.0.0.{host}" for host in range(2, 250))
        return itertools.repeat(LOOPBACK_ADDRESS)

    def socket(self) -> socket.socket:
        return socket.socket()


LOOPBACK: Final = Loopback()
