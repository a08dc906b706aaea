import socket

from chaos.ports import free_port
from grading.stack.ports import Ports
from tests.exam import CONTRACT
from tests.grading.stack.support import free_ports


def test_free_ports_give_no_complaint() -> None:
    assert free_ports().complaint() is None


def test_all_default_ports_differ() -> None:
    ports = Ports.usual(CONTRACT)
    pairs = [port for pair in ports.upstreams.values() for port in pair]

    assert len({ports.service, ports.control, *pairs}) == 2 + 2 * len(CONTRACT.upstreams)


def test_a_taken_port_of_the_service_says_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        complaint = free_ports(service=port).complaint()

    assert complaint
    assert f"Port {port} is taken" in complaint
    assert "--port" in complaint


def test_another_taken_port_says_what_it_is_for() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        complaint = free_ports(qdrant=port).complaint()

    assert complaint
    assert str(port) in complaint
    assert "qdrant" in complaint
