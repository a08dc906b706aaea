import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.ports import Ports, free_port

HOST = "127.0.0.1"


def test_a_free_port_can_be_bound() -> None:
    with socket.create_server((HOST, free_port())):
        pass


def test_free_ports_lie_below_those_that_outgoing_connections_take() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(free_port() < lowest for _ in range(50))


def test_taken_ports_are_passed_over() -> None:
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]

        with pytest.raises(OSError, match="no free port"):
            Ports(taken, taken + 1).free(HOST)


def test_a_port_is_not_handed_out_again_for_a_long_time() -> None:
    handed_out = [free_port() for _ in range(500)]

    assert len(set(handed_out)) == 500


def test_two_users_of_one_range_get_blocks_of_their_own() -> None:
    # Outside of what processes claim for use, and blocks that no other run of this test has the names of.
    start = 61_000 + secrets.randbelow(4_000)
    one, other = (Ports(start, start + 200, size=50, blocks=2) for _ in range(2))

    mine = {one.free(HOST) for _ in range(90)}
    theirs = {other.free(HOST) for _ in range(90)}

    assert not mine & theirs


def test_another_process_gets_other_ports() -> None:
    program = "from chaos.ports import free_port; print(*(free_port() for _ in range(500)))"
    mine = {free_port() for _ in range(500)}

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not mine & set(map(int, printed.stdout.split()))


def test_who_gets_no_block_still_gets_a_port() -> None:
    start = 62_000
    first = Ports(start, start + 50)
    first.free(HOST)

    assert Ports(start, start + 50).free(HOST) in range(start, start + 50)
