"""Makes two networks with a cable between them, and stays as long as they are needed.

    python -m chaos.sandbox.nest FOLDER NUMBER PROXY...

    the grader's process ---- sockets made in ----+
                                                  v
    [ boxes of services ] --- cable --- [ the lab: this process, PROXY ]

It needs no privilege: the networks belong to a user namespace of its own, and so does the mount namespace in which the
boxes' disks are (`disk.py`). On the lab's end of the cable it takes NUMBER
further addresses, for the lab's clients. It starts the fault proxy PROXY, whose control API on 127.0.0.1 is the lab's alone,
as the stand-ins there are. What others have to know is written to FOLDER/nest.json, and sockets are handed out at
FOLDER/door, until whoever came through it hangs up.
"""

import ctypes
import fcntl
import ipaddress
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

from pyroute2 import IPRoute

from chaos.containers.doorway import hand_over
from chaos.offline import CLONE_NEWNET, leave_network

DOOR, FACTS = "door", "nest.json"
LAB, SERVICE = "lab", "service"
"""The names of the cable's ends."""
LAB_ADDRESS = ipaddress.IPv4Interface("10.213.0.1/16")
SERVICE_ADDRESS = ipaddress.IPv4Interface("10.213.0.2/16")
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
SIOCSIFADDR, SIOCSIFFLAGS, SIOCSIFNETMASK = 0x8916, 0x8914, 0x891C
IFF_UP = 0x1
CLONE_NEWNS = 0x20000

_libc = ctypes.CDLL(None, use_errno=True)


def main(folder: Path, number: int, proxy: list[str]) -> None:
    """Make the networks, start the proxy and hand out sockets."""
    services = make_networks()
    addresses = [str(LAB_ADDRESS.ip), *take_further(number)]
    with socket.socket(socket.AF_UNIX) as door, subprocess.Popen(proxy) as server:  # noqa: S603 - the grader's own words
        facts = {"services": services, "address": str(SERVICE_ADDRESS.ip), "addresses": addresses}
        (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
        os.chdir(folder)  # a socket's path has to be short
        door.bind(DOOR)
        door.listen(1)
        lab, _ = door.accept()
        with lab:
            while lab.recv(1):
                hand_over(lab)
        server.kill()
    os.kill(services, signal.SIGKILL)


def make_networks() -> int:
    """Make the two networks; returns the process that the services' one belongs to. Raises OSError where this user may not."""
    leave_network()
    unshare(CLONE_NEWNS)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # again: new credentials may have undone it
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else others of this user cannot join
    services = hold_network()
    with IPRoute() as routes:
        routes.link("add", ifname=LAB, kind="veth", peer={"ifname": SERVICE, "net_ns_pid": services})
    take_address(LAB, LAB_ADDRESS)
    os.kill(services, signal.SIGUSR1)
    return services


def unshare(flags: int) -> None:
    """Leave namespaces for new ones. Raises OSError where this user may not."""
    if _libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "no namespaces for this user")


def hold_network() -> int:
    """Start the process that the services' network belongs to, and return its id once the network is there."""
    ready, told = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    pid = os.fork()
    if pid:
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            pipe.read()
        return pid
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    unshare(CLONE_NEWNET)
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.close(told)
    signal.sigwait({signal.SIGUSR1})  # its end of the cable is there
    take_address("lo", ipaddress.IPv4Interface("127.0.0.1/8"))
    take_address(SERVICE, SERVICE_ADDRESS)
    while True:
        signal.pause()


def take_further(number: int) -> list[str]:
    """Take up to `number` addresses from the end of the lab's network."""
    last = int(LAB_ADDRESS.network.broadcast_address)
    found = [ipaddress.IPv4Address(last - place) for place in range(1, number + 1)]
    for place, address in enumerate(found):
        take_address(f"{LAB}:{place}", ipaddress.IPv4Interface((address, LAB_ADDRESS.network.prefixlen)))
    return list(map(str, found))


def take_address(interface: str, address: ipaddress.IPv4Interface) -> None:
    """Give an interface, or an alias such as `lab:3`, an address, and switch it on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = interface.encode()
        for request, value in ((SIOCSIFADDR, address.ip), (SIOCSIFNETMASK, address.netmask)):
            # struct ifreq: the name, then a sockaddr_in.
            fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, value.packed))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", name, IFF_UP))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
