import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.stage.errors import NotThereError
from chaos.stage.service import ProcessService, find_service, the_service

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="processes are seen in /proc alone"
)

LISTENER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    listener.accept()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "AUTH_ADMIN_PASSWORD": "a=b c"}
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return f"http://127.0.0.1:{process.stdout.readline().strip()}"


async def test_a_service_is_found_by_its_port_and_told_to_end(
    process: subprocess.Popen[str], url: str
) -> None:
    service = await the_service(url)
    assert service.name == f"process {process.pid}"

    gone = asyncio.create_task(service.gone())
    await service.signal("TERM")

    async with asyncio.timeout(10):
        await gone
    assert process.wait(10) == -15
    with pytest.raises(NotThereError, match="is gone"):
        await service.signal("TERM")


async def test_its_secrets_are_those_that_it_was_started_with(url: str) -> None:
    service = await the_service(url)

    assert await service.secret("AUTH_ADMIN_PASSWORD") == "a=b c"
    assert await service.secret("NO_SUCH_SECRET") == ""


async def test_what_is_gone_is_gone(process: subprocess.Popen[str], url: str) -> None:
    process.kill()
    process.wait(10)

    service = ProcessService(process.pid)
    async with asyncio.timeout(10):
        await service.gone()
    with pytest.raises(NotThereError, match="environment cannot be read"):
        await service.secret("AUTH_ADMIN_PASSWORD")
    assert await find_service(url) is None
    with pytest.raises(NotThereError, match=r"start a stack with `mise run up`"):
        await the_service(url)
