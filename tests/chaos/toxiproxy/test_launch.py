"""Finding a server, its command line, and waiting for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.ports import free_port
from chaos.toxiproxy import command, find_server, wait_until_up
from chaos.toxiproxy.launch import SERVER_VARIABLE
from tests.chaos.toxiproxy.support import Server


def program(directory: Path, name: str) -> Path:
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_server_on_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() is None
    path = program(tmp_path, "toxiproxy-server")
    assert find_server() == path


def test_the_variable_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "toxiproxy-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = program(tmp_path, "server")
    monkeypatch.setenv(SERVER_VARIABLE, str(path))
    assert find_server() == path


def test_a_variable_that_names_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match=SERVER_VARIABLE):
        find_server()


def test_command_lines() -> None:
    assert command(1, binary=Path("/x/server")) == ["/x/server", "-host", "127.0.0.1", "-port", "1"]
    embedded = command(2, host="::1", seed=3, metrics=True)
    assert embedded[:3] == [sys.executable, "-m", "chaos.toxiproxy_server"]
    assert embedded[3:] == ["-host", "::1", "-port", "2", "-seed", "3", "-proxy-metrics"]


def test_the_embedded_server_starts_without_the_client_and_its_libraries() -> None:
    """They take several times as long to import as the whole server."""
    program = "import sys, chaos.toxiproxy_server.__main__; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"httpx", "pydantic", "chaos.toxiproxy"}.isdisjoint(printed.stdout.split())


async def test_waiting_for_a_server(server: Server) -> None:
    await wait_until_up(server.url, 5)


async def test_waiting_in_vain() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TimeoutError, match=rf"no Toxiproxy at {url} within 0\.2 s"):
        await wait_until_up(url, 0.2)
