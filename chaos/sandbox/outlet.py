"""Gives a program a network of its own with one way out, and becomes that program.

    python -m chaos.sandbox.outlet DOOR PROGRAM ARGUMENT...

On PORT of that network's loopback listens a socket that is handed to whoever waits at the Unix socket DOOR: what connects
there from inside is answered by a process outside, which decides how far it gets.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Final

from chaos.network import LOOPBACK_ADDRESS
from chaos.offline import leave_network

PORT: Final = 3128


def main(door: Path, argv: list[str]) -> None:
    """Leave the network, hand over the socket, and execute `argv`."""
    leave_network()
    os.chdir(door.parent)  # a socket's path has to be short
    with (
        socket.create_server((LOOPBACK_ADDRESS, PORT)) as outlet,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.connect(door.name)
        socket.send_fds(connection, [b"."], [outlet.fileno()])
    os.execv(argv[0], argv)  # noqa: S606 - the grader's own words


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
