"""Ports of the lab's own choosing.

The kernel's ephemeral range is avoided: a proxy that is switched off gives its port back for a while, and an
outgoing connection of anyone's could take it meanwhile.
"""

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000
_RANDOM = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port on `host` that nothing listens on now; raises OSError where a hundred tries find none."""
    for _ in range(100):
        port = _RANDOM.randrange(_LOWEST, _highest())
        if _is_free(host, port):
            return port
    raise OSError(f"no free port found on {host} between {_LOWEST} and {_highest()}")


def _highest() -> int:
    try:
        lowest_ephemeral = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except OSError:
        lowest_ephemeral = 49_152
    return lowest_ephemeral if lowest_ephemeral > _LOWEST + 1000 else 65_536


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
