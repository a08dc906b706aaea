"""What a gateway costs: throughput, latency, CPU, memory and start of this service and its peers, before one stub.

    python benchmarks/gateway.py [--seconds N] [--rounds N] [--stores] [--litellm BIN] [--portkey SCRIPT]
                                 [--env NAME=VALUE]...

Every peer has one worker on one processor; the stub and the load are on another. They take turns, so that what else the
machine does meets all of them, and each figure is the median of its rounds. "CPU" is what the peer's processes used for
a request, by their own clocks: the figure to trust on a machine that is busy. The load is a loop of aiohttp, whose own
time is in every latency; the stub's row says how much that is.

With `--stores` this service has its limits in Redis and its usage in PostgreSQL, real ones on the stub's processor;
without, in memory and in SQLite. The peers limit and count nothing in either case.

LiteLLM needs other versions of some packages, so it has an environment of its own: `--litellm` is its program there.
`--portkey` is `build/start-server.js` of `@portkey-ai/gateway`. `--env` adds to this service's environment.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import cast

import aiohttp

from chaos.ports import free_port
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.recorder import Recorder
from chaos.redis import server_program

ROOT = Path(__file__).parent.parent
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
CONNECTIONS = (1, 32)
START_SECONDS = 120
WARM_UP_SECONDS = 2
MODEL = "gpt-4o-secondary"
PASSWORD = "a-benchmark-is-no-secret"  # noqa: S105
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "What is a gateway for? " * 10}]}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It stands between. " * 20},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 60, "completion_tokens": 80, "total_tokens": 140},
}


@dataclass
class Load:
    """One turn of one peer."""

    answers: int
    seconds: float
    latencies: list[float]
    cpu: float


@dataclass
class Peer:
    """A gateway that runs: where to ask it, with what, and what its turns have measured, by connections."""

    name: str
    url: str
    headers: dict[str, str]
    pid: int
    started: float
    turns: dict[int, list[Load]] = field(default_factory=lambda: {count: [] for count in CONNECTIONS})


class Stub(asyncio.Protocol):
    """Answers every request with the same completion, as fast as Python can."""

    body = json.dumps(ANSWER).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            _, _, length = self.received[:end].lower().partition(b"content-length:")
            whole = end + 4 + int(length.split(b"\r\n")[0] or 0)
            if len(self.received) < whole:
                return
            self.received = self.received[whole:]
            self.transport.write(self.answer)


async def serve_stub(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    stats = (Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in tree(pid))
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICK


def memory(pid: int) -> int:
    """Bytes resident."""
    return sum(int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE for process in tree(pid))


@asynccontextmanager
async def running(
    command: list[str], *, cpu: int, log: Path, environment: dict[str, str] | None = None
) -> AsyncIterator[int]:
    """Give the pid of a program that runs on one processor until the context ends."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *["taskset", "-c", str(cpu), *command],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def started(
    name: str,
    command: list[str],
    *,
    folder: Path,
    port: int,
    headers: dict[str, str],
    environment: dict[str, str],
) -> AsyncIterator[Peer]:
    """A peer that has answered its first question; one that needs a login logs in for it."""
    began = time.perf_counter()
    log = folder / f"{name}.log"
    async with running(command, cpu=1, log=log, environment={**os.environ, **environment}) as pid:
        peer = Peer(name, f"http://127.0.0.1:{port}", headers, pid, 0.0)
        async with aiohttp.ClientSession() as session:
            while time.perf_counter() < began + START_SECONDS:
                if await answers(session, peer):
                    peer.started = time.perf_counter() - began
                    yield peer
                    return
                await asyncio.sleep(0.02)
        sys.exit(f"{name} does not answer: {log.read_text()[-2000:]}")


async def answers(session: aiohttp.ClientSession, peer: Peer) -> bool:
    try:
        if peer.name == "this service" and not peer.headers:
            login = {"username": "admin", "password": PASSWORD}
            async with session.post(f"{peer.url}/auth/login", json=login) as answer:
                token = (await answer.json())["access_token"]
                peer.headers = {"Authorization": f"Bearer {token}"}
        async with session.post(
            f"{peer.url}/v1/chat/completions", json=QUESTION, headers=peer.headers
        ) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def load(peer: Peer, *, connections: int, seconds: float) -> Load:
    body = json.dumps(QUESTION).encode()
    headers = {"Content-Type": "application/json", **peer.headers}
    latencies: list[float] = []
    before, began = cpu_seconds(peer.pid), time.perf_counter()
    end = began + seconds

    async def ask(session: aiohttp.ClientSession) -> None:
        while (asked := time.perf_counter()) < end:
            async with session.post(f"{peer.url}/v1/chat/completions", data=body, headers=headers) as answer:
                await answer.read()
                if answer.status != 200:
                    sys.exit(f"{peer.name} answered {answer.status}")
            latencies.append(time.perf_counter() - asked)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(ask(session) for _ in range(connections)))
    spent = time.perf_counter() - began
    return Load(len(latencies), spent, latencies, cpu_seconds(peer.pid) - before)


def ours(folder: Path, backend: str, port: int, more: list[str]) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "uvicorn", "api.main:app", "--app-dir", str(ROOT / "src")]
    environment = {
        "JWT_SECRET_KEY": os.urandom(32).hex(),
        "AUTH_ADMIN_PASSWORD": PASSWORD,
        "AUTH_USER_PASSWORD": PASSWORD,
        "LITELLM_URL": backend,
        "QDRANT_URL": backend,
        "MLFLOW_TRACKING_URI": backend,
        "TRACE_FALLBACK_PATH": str(folder / "traces.jsonl"),
        **dict(pair.split("=", 1) for pair in more),
    }
    return [*command, "--port", str(port)], environment


def litellm(program: str, folder: Path, backend: str, port: int) -> list[str]:
    """Its configuration is JSON, which is YAML as well."""
    parameters = {"model": f"openai/{MODEL}", "api_base": f"{backend}/v1", "api_key": "none"}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": parameters}]}))
    return [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]


def portkey_headers(backend: str) -> dict[str, str]:
    return {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{backend}/v1",
        "Authorization": "Bearer none",
    }


async def start_stores(stack: AsyncExitStack, folder: Path) -> list[str]:
    """Start a Redis and a PostgreSQL, and return the settings by which this service uses them."""
    # Not by `RedisServer`: its relay would run in the loop of the load, and each request goes to Redis and back.
    port = free_port()
    command = [str(server_program()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    await stack.enter_async_context(running(command, cpu=0, log=folder / "redis.log"))
    postgres = await stack.enter_async_context(PostgresServer())
    database = await stack.enter_async_context(PostgresDatabase(postgres, Recorder(), database="api"))
    return [f"REDIS_URL=redis://127.0.0.1:{port}/0", f"DATABASE_URL={database.url()}"]


async def measure(arguments: argparse.Namespace, folder: Path) -> list[Peer]:
    os.sched_setaffinity(0, {0})
    async with AsyncExitStack() as stack:
        stores = await start_stores(stack, folder) if arguments.stores else []
        stub_port = free_port()
        backend = f"http://127.0.0.1:{stub_port}"

        async def start(name: str, command: list[str], port: int, **more: dict[str, str]) -> Peer:
            settings = {"headers": {}, "environment": {}, **more}
            return await stack.enter_async_context(
                started(name, command, folder=folder, port=port, **settings)
            )

        stub = await start("stub alone", [sys.executable, __file__, "--stub", str(stub_port)], stub_port)
        os.sched_setaffinity(stub.pid, {0})
        peers = [stub]
        command, environment = ours(folder, backend, port := free_port(), stores + arguments.env)
        peers.append(await start("this service", command, port, environment=environment))
        if arguments.litellm:
            command = litellm(arguments.litellm, folder, backend, port := free_port())
            key = f"sk-{os.urandom(16).hex()}"
            bearer, secret = {"Authorization": f"Bearer {key}"}, {"LITELLM_MASTER_KEY": key}
            peers.append(await start("LiteLLM", command, port, headers=bearer, environment=secret))
        if arguments.portkey:
            command = ["node", arguments.portkey, "--headless", f"--port={(port := free_port())}"]
            settings = {"TRUSTED_CUSTOM_HOSTS": f"127.0.0.1,127.0.0.1:{stub_port},localhost"}
            peers.append(
                await start("Portkey", command, port, headers=portkey_headers(backend), environment=settings)
            )
        for peer in peers:
            await load(peer, connections=8, seconds=WARM_UP_SECONDS)
        for _ in range(arguments.rounds):
            for connections in CONNECTIONS:
                for peer in peers:
                    turn = await load(peer, connections=connections, seconds=arguments.seconds)
                    peer.turns[connections].append(turn)
        for peer in peers:
            report(peer, peers)
        return peers


def report(peer: Peer, peers: list[Peer]) -> None:
    print(f"{peer.name}: started in {peer.started:.1f} s, {memory(peer.pid) / 2**20:.0f} MB")
    for connections, turns in peer.turns.items():
        rate = throughput(peer, connections)
        cuts = [quantiles(turn.latencies, n=100) for turn in turns]
        p50, p99 = (1000 * median(cut[at] for cut in cuts) for at in (49, 98))
        cpu = 1000 * median(turn.cpu / turn.answers for turn in turns)
        ratios = [
            f"{rate / throughput(other, connections):.2f} x {other.name}"
            for other in peers[1:]
            if other is not peer and peer is not peers[0]
        ]
        print(
            f"  c={connections:<3} {rate:7.0f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
            f"   CPU {cpu:5.2f} ms   {', '.join(ratios)}"
        )


def throughput(peer: Peer, connections: int) -> float:
    return median(turn.answers / turn.seconds for turn in peer.turns[connections])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stores", action="store_true", help="limits in Redis, usage in PostgreSQL")
    parser.add_argument("--litellm", type=shutil.which, help="LiteLLM's program")
    parser.add_argument("--portkey", help="Portkey's build/start-server.js")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE for this service")
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    import uvloop  # noqa: PLC0415  not where Windows only asks for help

    if arguments.stub:
        uvloop.run(serve_stub(arguments.stub))
        return
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(arguments, Path(folder)))


if __name__ == "__main__":
    main()
