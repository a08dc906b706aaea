import socket
from pathlib import Path

import pytest

from chaos import ports


def test_a_free_port_can_be_bound() -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())):
        pass


def test_free_ports_lie_below_those_that_outgoing_connections_take() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(ports.free_port() < lowest for _ in range(50))


def test_taken_ports_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "_LOWEST", taken)
        monkeypatch.setattr(ports, "_highest", lambda: taken + 1)

        with pytest.raises(OSError, match="no free port"):
            ports.free_port()
