import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos import proxy_server as module
from chaos.proxy_server import proxy_server
from chaos.toxiproxy import selfcheck
from chaos.toxiproxy.launch import SERVER_VARIABLE

pytestmark = pytest.mark.medium

ENV = {"PATH": os.environ["PATH"]}

BROKEN_SERVER = """
import sys
from chaos.toxiproxy_server.__main__ import main
from chaos.toxiproxy_server.endpoint import Endpoint

feed = Endpoint.feed

def broken(endpoint, chunk):
    {fault}

Endpoint.feed = broken
sys.exit(main())
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Returns a function that makes a shell script the toxiproxy-server of this machine."""

    def install(script: str) -> Path:
        path = tmp_path / "toxiproxy-server"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv(SERVER_VARIABLE, str(path))
        return path

    return install


async def test_a_server_that_ends_at_once_is_told_at_once_with_its_last_words(
    install: Callable[[str], Path],
) -> None:
    install("echo no such luck >&2\nexit 1")
    begun = time.monotonic()

    with pytest.raises(OSError, match="the fault proxy did not start: no such luck"):
        async with proxy_server(seed=1, env=ENV):
            pass

    assert time.monotonic() - begun < module.START_SECONDS


async def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, "/no/such/server")

    with pytest.raises(OSError, match="TOXIPROXY_SERVER=/no/such/server is no program"):
        async with proxy_server(seed=1, env=ENV):
            pass


@pytest.fixture
def install_broken(tmp_path: Path, install: Callable[[str], Path]) -> Callable[[str], Path]:
    """Returns a function that installs the embedded server with another way to send a chunk to a socket."""

    def install_broken(fault: str) -> Path:
        program = tmp_path / "broken_server.py"
        program.write_text(BROKEN_SERVER.format(fault=fault))
        return install(f'exec "{sys.executable}" "{program}" "$@"')

    return install_broken


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("feed(endpoint, chunk._replace(data=chunk.data[1:]))", id="a byte of each chunk"),
        pytest.param("endpoint.abort()", id="all of them"),
    ],
)
async def test_a_server_that_loses_bytes_is_refused(
    install_broken: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(selfcheck, "LIMIT_SECONDS", 1.0)
    server = install_broken(fault)

    with pytest.raises(OSError, match=r"of \d+ bytes \d+ arrived") as broken:
        async with proxy_server(seed=1, env=ENV):
            pass

    assert "not the submission" in str(broken.value)
    assert f"install another toxiproxy-server than {server}" in str(broken.value)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("bytes([chunk.data[0] ^ 1]) + chunk.data[1:]", id="a bit of each chunk"),
        pytest.param(
            "bytes(chunk.data)[:: -1 if len(chunk.data) > 1000 else 1]", id="the order in long ones"
        ),
    ],
)
async def test_a_server_that_changes_bytes_is_refused(
    install_broken: Callable[[str], Path], fault: str
) -> None:
    install_broken(f"feed(endpoint, chunk._replace(data={fault}))")

    with pytest.raises(OSError, match=r"\d+ bytes arrived changed"):
        async with proxy_server(seed=1, env=ENV):
            pass


async def test_with_a_broken_embedded_server_another_python_may_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "LIMIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "find_server", lambda: None)

    with pytest.raises(OSError, match=f"on another Python than {platform.python_version()}"):
        async with proxy_server(seed=1, env=ENV):
            pass
