"""Which processes accept connections on a port: whose it is, and how many workers a server has."""

import contextlib
import time
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long a worker may take to open a socket of its own when another one has begun to answer."""
_PAUSE_SECONDS = 0.1
_LISTENING = "0A"
_NOBODY = "0"
"""The parent of a container's first process, and of those that are started in it from outside."""


def count_workers(
    port: int, proc: Path = Path("/proc"), net: Path | None = None, patience: float = PATIENCE_SECONDS
) -> int:
    """Return how many processes accept connections on a TCP port; 1 where that cannot be seen.

    The port is one of this machine, or of the network whose tables are in the folder `net`.

    A process that has handed the socket on to its children is their parent and does not count. Some servers have each
    worker open a socket, which it does when it is ready. So the siblings of a worker have time for that.
    """
    until = time.monotonic() + patience
    while True:
        parents = _holders(port, proc, net)
        workers = parents.keys() - set(parents.values())
        if time.monotonic() >= until or not _may_become_more(workers, parents, proc):
            return max(1, len(workers))
        time.sleep(_PAUSE_SECONDS)


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


def _may_become_more(workers: set[str], parents: dict[str, str], proc: Path) -> bool:
    """Whether a process has a worker's parent, and holds no socket of the port nor has a child that does."""
    shared = {parents[worker] for worker in workers} - {_NOBODY}
    known = parents.keys() | set(parents.values())
    for folder in proc.iterdir() if shared else ():
        if folder.name.isdecimal() and folder.name not in known:
            with contextlib.suppress(OSError):
                if _parent(folder) in shared and not _is_helper(folder):
                    return True
    return False


def _is_helper(folder: Path) -> bool:
    """Whether a process has ended, or is the one with which Python's multiprocessing cleans up."""
    command = (folder / "cmdline").read_bytes()
    return not command or b"resource_tracker" in command


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
