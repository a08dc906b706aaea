"""Which processes accept connections on a port: whose it is, and how many workers a server has."""

import contextlib
from pathlib import Path

_LISTENING = "0A"


def count_workers(port: int, proc: Path = Path("/proc"), net: Path | None = None) -> int:
    """Return how many processes accept connections on a TCP port; 1 where that cannot be seen.

    The port is one of this machine, or of the network whose tables are in the folder `net`.

    A process that has handed the socket on to its children is their parent and does not count.
    """
    parents = _holders(port, proc, net)
    return max(1, len(parents.keys() - set(parents.values())))


def find_listeners(port: int, proc: Path = Path("/proc")) -> list[int]:
    """Return the processes that have a listening socket of a TCP port of this machine, a parent before its workers.

    There may be others that are hidden from this user.
    """
    parents = _holders(port, proc)
    return sorted(map(int, parents), key=lambda pid: (parents[str(pid)] in parents, pid))


def _holders(port: int, proc: Path, net: Path | None = None) -> dict[str, str]:
    """Return who has a listening socket of the port, each with its parent."""
    parents = {}
    with contextlib.suppress(OSError):
        sockets = _listening_sockets(port, net or proc / "net")
        for folder in proc.iterdir():
            if folder.name.isdecimal() and _holds(folder, sockets):
                with contextlib.suppress(OSError):
                    parents[folder.name] = _parent(folder)
    return parents


def _listening_sockets(port: int, net: Path) -> set[str]:
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        if (path := net / table).exists()
        for line in path.read_text().splitlines()[1:]
    ]
    return {
        f"socket:[{row[9]}]"
        for row in rows
        if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port
    }


def _holds(folder: Path, sockets: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in sockets:
                    return True
    return False


def _parent(folder: Path) -> str:
    # The name stands in brackets and may hold anything.
    return (folder / "stat").read_text().rpartition(")")[2].split()[1]
