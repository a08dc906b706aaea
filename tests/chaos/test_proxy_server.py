import os
import time
from pathlib import Path

import pytest

from chaos import proxy_server as module
from chaos.proxy_server import proxy_server
from chaos.toxiproxy.launch import SERVER_VARIABLE

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault proxy that ends at once, and says why."""
    path = tmp_path / "toxiproxy-server"
    path.write_text("#!/bin/sh\necho no such luck >&2\nexit 1\n")
    path.chmod(0o755)
    monkeypatch.setenv(SERVER_VARIABLE, str(path))


@pytest.mark.usefixtures("mortal")
async def test_a_server_that_ends_at_once_is_told_at_once_with_its_last_words() -> None:
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
