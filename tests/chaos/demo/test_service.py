import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaos.demo.errors import NotThereError
from chaos.demo.service import ProcessService, find_service, the_service
from chaos.ports import free_port
from tests.docker import docker
from tests.grading.stack.support import until

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


@pytest.fixture
def with_worker() -> Iterator[tuple[str, list[int]]]:
    """The URL of a service that has forked, and both of its processes."""
    fork = "import os\nworker = os.fork()\nif worker:\n    print(worker, flush=True)\nwhile True"
    code = LISTENER.replace("while True", fork)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port, worker = process.stdout.readline(), int(process.stdout.readline())
        yield f"http://127.0.0.1:{port.strip()}", [process.pid, worker]
        process.kill()
        os.kill(worker, signal.SIGKILL)


async def test_workers_are_stopped_with_their_parent(with_worker: tuple[str, list[int]]) -> None:
    url, pids = with_worker
    service = await the_service(url)

    await service.signal("STOP")
    until(lambda: [state(pid) for pid in pids] == ["T", "T"])
    await service.signal("CONT")
    until(lambda: "T" not in [state(pid) for pid in pids])


def state(pid: int) -> str:
    """What the kernel says of a process: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


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
    with pytest.raises(NotThereError, match=r"environment of the service .* cannot be read"):
        await service.secret("AUTH_ADMIN_PASSWORD")


DOCKERS = {
    "no command": None,
    "no engine": "echo 'Cannot connect to the Docker daemon.' >&2; exit 1",
    "no container": "exit 0",
}


def use_docker(script: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command `docker` be a script, or not be there."""
    folder = folder / "bin"
    folder.mkdir()
    if script is not None:
        (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("script", DOCKERS.values(), ids=DOCKERS)
async def test_without_docker_a_service_is_a_process_or_not_there(
    url: str, script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_docker(script, tmp_path, monkeypatch)
    nobody = f"http://127.0.0.1:{free_port()}"

    assert isinstance(await the_service(url), ProcessService)
    assert await find_service(nobody) is None
    with pytest.raises(NotThereError, match=r"start a stack with `grading up`"):
        await the_service(nobody)


async def test_an_engine_that_does_not_answer_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_docker(DOCKERS["no engine"], tmp_path, monkeypatch)

    with pytest.raises(NotThereError, match="`docker ps` failed: Cannot connect to the Docker daemon"):
        await the_service(f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def container(python_image: str) -> Iterator[str]:
    """The URL of a service in a container."""
    port = free_port()
    code = 'import http.server as s; s.HTTPServer(("", 8000), s.BaseHTTPRequestHandler).serve_forever()'
    started = docker(
        *("run", "--detach", "--rm", "--init", "--publish", f"127.0.0.1:{port}:8000"),
        *("--env", "AUTH_ADMIN_PASSWORD=", "--env", "AUTH_USER_PASSWORD=a=b c"),
        *("--tmpfs", "/run/secrets", python_image),
        *("sh", "-c", f"printf %s 'of a file' > /run/secrets/auth_admin_password; exec python -c '{code}'"),
    )
    assert not started.returncode, started.stderr
    yield f"http://127.0.0.1:{port}"
    docker("rm", "--force", started.stdout.strip())


@pytest.mark.slow
async def test_a_service_in_a_container_is_found_frozen_and_ended(container: str) -> None:
    service = await the_service(container)
    async with httpx.AsyncClient(base_url=container, trust_env=False, timeout=1) as http:
        assert await served(http)
        assert await service.secret("AUTH_USER_PASSWORD") == "a=b c"
        assert await service.secret("AUTH_ADMIN_PASSWORD") == "of a file"
        assert await service.secret("NO_SUCH_SECRET") == ""

        await service.signal("STOP")
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/")
        await service.signal("CONT")
        assert (await http.get("/", timeout=20)).status_code == 501

        gone = asyncio.create_task(service.gone())
        await service.signal("TERM")
        async with asyncio.timeout(30):
            await gone
    with pytest.raises(NotThereError, match="docker kill"):
        await service.signal("TERM")


async def served(http: httpx.AsyncClient) -> bool:
    for _ in range(200):
        try:
            await http.get("/", timeout=20)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return True
    return False
