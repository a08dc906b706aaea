"""Runs in the lab's container: starts the fault proxy, and opens sockets there for the lab, which stays outside.

    python doorway.py NUMBER SEED

Gives the container's interface NUMBER further addresses, from the end of its network, starts toxiproxy-server with its
control API on 127.0.0.1, writes its addresses (its own first) to FOLDER/addresses and listens on FOLDER/door. Whoever
connects there gets a new TCP socket, made in the container's network, for every byte sent. When they hang up, this ends,
and the container with it.

A socket belongs to the network that it was made in, whoever uses it: the lab's clients, stand-ins and measurements run in
its own process as ever, and yet are where the service is. Alone in its file, and of the standard library, for the
container has nothing else.
"""

import array
import contextlib
import fcntl
import ipaddress
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

FOLDER = Path("/door")
DOOR, ADDRESSES = "door", "addresses"
CONTROL_PORT = 8474
INTERFACE = "eth0"
SIOCGIFADDR, SIOCSIFADDR, SIOCGIFNETMASK, SIOCSIFNETMASK = 0x8915, 0x8916, 0x891B, 0x891C


def main(number: int, seed: int) -> None:
    control = ["-host", "127.0.0.1", "-port", str(CONTROL_PORT), "-seed", str(seed)]
    server = subprocess.Popen(["toxiproxy-server", *control])  # noqa: S603, S607 - of the lab's own image
    with server, socket.socket(socket.AF_UNIX) as door:
        FOLDER.joinpath(ADDRESSES).write_text(json.dumps(take_addresses(number)), encoding="utf-8")
        door.bind(str(FOLDER / DOOR))
        FOLDER.joinpath(DOOR).chmod(0o666)  # the folder is the lab's alone
        door.listen(1)
        lab, _ = door.accept()
        with lab:
            while lab.recv(1):
                hand_over(lab)
        server.kill()


def take_addresses(number: int) -> list[str]:
    """Take up to `number` addresses from the end of the network; returns them after the container's own."""
    own = ipaddress.IPv4Interface(f"{_get(SIOCGIFADDR)}/{_get(SIOCGIFNETMASK)}")
    last = int(own.network.broadcast_address)
    count = min(number, own.network.num_addresses // 2)
    further = [ipaddress.IPv4Address(last - place) for place in range(1, count + 1)]
    for place, address in enumerate(further):
        _set(f"{INTERFACE}:{place}", address, own.netmask)
    return [str(own.ip), *map(str, further)]


def hand_over(lab: socket.socket) -> None:
    """Send a new socket through the door."""
    with socket.socket() as made, contextlib.suppress(BrokenPipeError):
        descriptor = array.array("i", [made.fileno()])
        lab.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])


def _get(request: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, request, struct.pack("16s16x", INTERFACE.encode()))
    return socket.inet_ntoa(answer[20:24])


def _set(name: str, address: ipaddress.IPv4Address, netmask: ipaddress.IPv4Address) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, netmask)):
            # struct ifreq: the name, then a sockaddr_in.
            fcntl.ioctl(
                control, request, struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, value.packed)
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
