"""Ports of the lab's own choosing, each handed to one user at a time.

A service binds its port seconds after it was chosen, and a proxy that is switched off gives its own back for a while.
So that no other grader on this machine, and nobody else in this one, is given the same port meanwhile, a process claims
whole blocks of ports, and hands out the one that it has handed out longest ago. A claim is the name of an abstract Unix
socket: the kernel gives it to one process, and takes it back when that process ends, however it ends.

The kernel's ephemeral range is avoided: an outgoing connection of anyone's could take a port from there.
"""

import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000
_RANDOM = random.SystemRandom()
_TRIES = 100


class Ports:
    """The ports from `lowest` up to, and without, `highest`; `blocks` of `size` are claimed at most."""

    def __init__(self, lowest: int, highest: int, *, size: int = 256, blocks: int = 4) -> None:
        self._blocks = [range(start, min(start + size, highest)) for start in range(lowest, highest, size)]
        self._most = blocks
        self._lock = threading.Lock()
        self._in_turn = self._hand_out()

    def free(self, host: str, probe: Callable[[], socket.socket] = socket.socket) -> int:
        """Return a port on `host` that nothing listens on now; raises OSError where a hundred tries find none.

        `probe` makes a socket to find that out, in the network that `host` is of.
        """
        for _ in range(_TRIES):
            with self._lock:
                port = next(self._in_turn)
            if is_free(host, port, probe):
                return port
        raise OSError(f"no free port found on {host} from {self._blocks[0].start} to {self._blocks[-1].stop}")

    def _hand_out(self) -> Iterator[int]:
        claimed: list[list[int]] = []
        for block in _shuffled(self._blocks):
            if len(claimed) < self._most and _claim(block):
                claimed.append(_shuffled(block))
                yield from claimed[-1]
        while True:
            # Without a block of its own, which takes dozens of graders at once, chance has to do.
            for ports in claimed or [_shuffled(block) for block in _shuffled(self._blocks)]:
                yield from ports


def free_port(host: str = "127.0.0.1", probe: Callable[[], socket.socket] = socket.socket) -> int:
    """Return a port as `Ports.free` does, of this process's own."""
    return _PORTS.free(host, probe)


def _claim(block: range) -> bool:
    """Claim a block for as long as this process lives; False where another one has it."""
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind(f"\0llm-exam-ports-{block.start}-{block.stop}")
        except OSError:
            return False
        claim.detach()
    return True


def _shuffled(values: Sequence[T]) -> list[T]:
    return _RANDOM.sample(values, len(values))


def _highest() -> int:
    try:
        lowest_ephemeral = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except OSError:
        lowest_ephemeral = 49_152
    return lowest_ephemeral if lowest_ephemeral > _LOWEST + 1000 else 65_536


def is_free(host: str, port: int, probe: Callable[[], socket.socket] = socket.socket) -> bool:
    """Whether nothing listens on a port now; `probe` as in `Ports.free`."""
    with probe() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return False
        return True


_PORTS = Ports(_LOWEST, _highest())
