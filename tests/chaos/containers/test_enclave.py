"""What a graded container can reach of the world: the fault proxies, and nothing else."""

import contextlib
import fcntl
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaos.containers import doorway
from chaos.containers.enclave import Enclave
from chaos.containers.engine import Engine
from chaos.history import Answer, Call, Log
from chaos.http_client import Client
from chaos.llm import ScriptedLLM
from chaos.mlflow import MlflowStandIn
from chaos.postgres import PostgresServer
from chaos.qdrant import QdrantStandIn
from chaos.recorder import Recorder
from chaos.toxiproxy import Toxiproxy, check_bytes, wait_until_up
from chaos.upstreams import Upstreams
from grading.workspace import Workspace
from tests.exam import CONTRACT

from .conftest import LABELLED, Run, new_enclave
from .test_container import ended, until_printed

pytestmark = pytest.mark.slow

PROBE = """
import json, os, socket, sys

def reach(host, port):
    try:
        with socket.create_connection((host, port), timeout=3):
            return True
    except OSError:
        return False

def resolve(name):
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False

targets = json.loads(sys.argv[1])
print(json.dumps({
    "reached": [target for target in targets if reach(*target)],
    "resolved": [name for name in json.loads(sys.argv[2]) if resolve(name)],
}))
"""
SERVE = (
    "import http.server\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200); self.end_headers(); self.wfile.write(self.client_address[0].encode())\n"
    "server = http.server.HTTPServer(('0.0.0.0', 8000), Handler)\n"
    "print('ready')\nserver.serve_forever()"
)


async def probe(
    run: Run, recorder: Recorder, inside: Enclave, targets: list[tuple[str, int]], names: list[str]
) -> dict[str, list[object]]:
    container = await run(PROBE, json.dumps(targets), json.dumps(names), network=inside.name)
    await ended(container)
    await container.close()
    found: dict[str, list[object]] = json.loads(recorder.history().of(Log)[-1].text)
    return found


async def test_the_lab_asks_a_service_from_many_addresses(
    inside: Enclave, run: Run, recorder: Recorder
) -> None:
    container = await run(SERVE, network=inside.name)
    await until_printed(container, recorder, "ready")
    client = Client(f"http://{container.address}:8000", recorder, inside)

    answers = [await client.request("GET", "/", label="ask") for _ in range(3)]

    seen = [answer.body for answer in answers if isinstance(answer, Answer)]
    assert len(set(seen)) == 3
    assert inside.address not in seen


async def test_a_service_reaches_the_stand_ins_through_the_fault_proxies_alone(
    inside: Enclave, run: Run, recorder: Recorder
) -> None:
    async with (
        Toxiproxy(inside.control) as toxiproxy,
        Upstreams("x", CONTRACT, toxiproxy, recorder, inside, postgres=PostgresServer()) as upstreams,
    ):
        url = httpx.URL(upstreams.url("mlflow"))
        ask = f"import urllib.request as r; print(r.urlopen('{url}/health').read().decode())"
        container = await run(ask, network=inside.name)
        await ended(container)
        await container.close()
        stand_ins = [
            upstreams.of(ScriptedLLM).port,
            upstreams.of(QdrantStandIn).port,
            upstreams.of(MlflowStandIn).port,
        ]
        control = doorway.CONTROL_PORT
        found = await probe(
            run, recorder, inside, [(inside.address, port) for port in [*stand_ins, control]], []
        )

    assert recorder.history().of(Call)
    assert found["reached"] == []


async def test_a_blackhole_takes_no_connection_and_refuses_none(inside: Enclave, recorder: Recorder) -> None:
    async with (
        Toxiproxy(inside.control) as toxiproxy,
        Upstreams("x", CONTRACT, toxiproxy, recorder, inside, postgres=PostgresServer()) as upstreams,
    ):
        await upstreams.blackhole("litellm")  # raises where a client would meet something else
        await upstreams.heal("litellm")


async def test_neither_the_host_nor_the_internet_nor_other_runs_are_in_reach(
    inside: Enclave, other: Enclave, run: Run, recorder: Recorder
) -> None:
    there = await run(SERVE, network=other.name)
    await until_printed(there, recorder, "ready")
    with host_listener() as port:
        targets = [
            *((address, port) for address in host_addresses()),
            (there.address, 8000),
            # Documentation's range (RFC 5737) stands for the internet: nobody is called, wherever this leads.
            ("192.0.2.1", 80),
        ]
        found = await probe(
            run, recorder, inside, targets, ["example.org", socket.gethostname(), "host.docker.internal"]
        )

    assert found == {"reached": [], "resolved": []}


async def test_the_probe_of_these_tests_finds_what_is_in_reach(
    inside: Enclave, run: Run, recorder: Recorder
) -> None:
    container = await run(SERVE, network=inside.name)
    await until_printed(container, recorder, "ready")

    found = await probe(run, recorder, inside, [(container.address, 8000)], ["localhost"])

    assert found == {"reached": [[container.address, 8000]], "resolved": ["localhost"]}


async def test_nothing_is_left_of_an_enclave(engine: Engine, workspace: Workspace) -> None:
    async with new_enclave(engine, workspace) as inside:
        assert inside.address in inside.addresses

    assert await engine.call("GET", "/containers/json", all="true", filters=LABELLED) == []
    assert await engine.call("GET", "/networks", filters=LABELLED) == []


@contextlib.contextmanager
def host_listener() -> Iterator[int]:
    """A port that is open on every address of this machine, as a database may be."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        yield listener.getsockname()[1]


def host_addresses() -> list[str]:
    """This machine's addresses but loopback's, those of the bridges included."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(control, 0x8915, struct.pack("16s16x", name.encode()))
                found.append(socket.inet_ntoa(answer[20:24]))
    table = Path("/proc/net/if_inet6")
    for line in table.read_text().splitlines() if table.exists() else []:
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
        found.append(f"{address}%eth0" if address.startswith("fe80") else address)
    return [address for address in found if address not in {"127.0.0.1", "::1"}]


async def test_the_check_of_the_fault_proxy_works_from_outside(inside: Enclave) -> None:
    await wait_until_up(inside.control, timeout=20)
    async with Toxiproxy(inside.control) as toxiproxy:
        await check_bytes(toxiproxy, inside)
        assert await toxiproxy.proxies() == {}
