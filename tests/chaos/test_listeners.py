import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from chaos.listeners import count_workers, find_listeners

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="processes are seen in /proc alone"
)


def _hold(_listener: socket.socket, told: Connection) -> None:
    told.send(None)
    told.recv()


def _listen_late(port: int, told: Connection) -> None:
    told.send(None)
    told.recv()
    with socket.create_server(("127.0.0.1", port), reuse_port=True):
        told.recv()


@contextmanager
def _workers(listener: socket.socket, count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    started = []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_hold, args=(listener, theirs))
        process.start()
        started.append((process, ours))
    for _, ours in started:
        ours.recv()
    yield
    for process, ours in started:
        ours.send(None)
        process.join()


def test_a_server_without_children_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert count_workers(listener.getsockname()[1], patience=0) == 1


def test_children_count_and_their_parent_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, _workers(listener, 2):
        assert count_workers(listener.getsockname()[1]) == 2


@pytest.mark.medium
def test_workers_have_time_to_open_sockets_of_their_own() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as listener, _workers(listener, 1):
        port = listener.getsockname()[1]
        late = context.Process(target=_listen_late, args=(port, theirs))
        late.start()
        ours.recv()
        before = count_workers(port, patience=0)
        ours.send(None)
        after = count_workers(port)
        ours.send(None)
        late.join()

    assert (before, after) == (1, 2)


def test_what_cannot_be_seen_is_one(tmp_path: Path) -> None:
    assert count_workers(80, tmp_path / "no-proc") == 1
    assert count_workers(80, tmp_path) == 1


def test_a_parent_comes_before_its_workers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with _workers(listener, 2):
            parent, *workers = find_listeners(port)

    assert parent == os.getpid()
    assert len(workers) == 2
    assert find_listeners(port) == []
