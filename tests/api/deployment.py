"""The service as a process, with a scripted model, a real PostgreSQL and a real Redis behind fault proxies."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from api.services.callers import Permission, Tier
from chaos.llm import ScriptedLLM
from chaos.llm.steps import Outcome, Turn
from chaos.ports import free_port
from chaos.postgres import PostgresDatabase, PostgresServer
from chaos.proxy_server import proxy_server
from chaos.qdrant import QdrantStandIn
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from chaos.toxiproxy import ProxyHandle
from tests.api.support import PASSWORD, SECRET

START_SECONDS = 60.0
STOP_SECONDS = 60.0
DELIVER_SECONDS = 60.0
SOURCE = Path(__file__).parents[2] / "src"
USER = "admin"


@dataclass(frozen=True)
class Backends:
    """What the service rests on. `proxies` are what it reaches them through, by name."""

    model: ScriptedLLM
    database: PostgresDatabase
    proxies: Mapping[str, ProxyHandle]

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a service in front of them; what it writes goes to its working folder."""
        user = {
            "username": USER,
            "password": PASSWORD,
            "tier": Tier.ENTERPRISE,
            "permissions": list(Permission),
        }
        return {
            "ENVIRONMENT": "test",
            "JWT_SECRET_KEY": SECRET,
            "BOOTSTRAP_USERS": json.dumps([user]),
            "LITELLM_URL": f"http://{self.proxies['litellm'].listen}",
            "QDRANT_URL": f"http://{self.proxies['qdrant'].listen}",
            "REDIS_URL": f"redis://{self.proxies['redis'].listen}/0",
            "DATABASE_URL": self.database.url(self.proxies["postgres"].listen),
        }

    async def counted(self) -> Counter[str]:
        """The ids of the requests that the usage in the database is about, with how many rows each has."""
        connection = await asyncpg.connect(self.database.url())
        try:
            rows = await connection.fetch("SELECT request_id FROM usage")
        finally:
            await connection.close()
        return Counter(str(row["request_id"]) for row in rows)


@dataclass(frozen=True, slots=True)
class Paced:
    """Answer like a model: a stream word by word, anything else after a moment. `pause` is in seconds."""

    pause: float = 0.02
    name: str = "paced"

    async def play(self, turn: Turn) -> Outcome:
        answer = turn.completion()
        if not turn.chat.stream:
            await turn.responder.sleep(self.pause)
            await turn.send(turn.body(answer))
            return "answered"
        await turn.start()
        for event in turn.stream(answer):
            await turn.responder.write(event)
            await turn.responder.sleep(self.pause)
        await turn.responder.finish()
        return "answered"


@asynccontextmanager
async def run_backends() -> AsyncIterator[Backends]:
    async with (
        PostgresServer() as postgres,
        PostgresDatabase(postgres, Recorder(), database="api") as database,
        RedisServer(Recorder()) as redis,
        QdrantStandIn(Recorder()) as qdrant,
        ScriptedLLM(Recorder(), models=["gpt-4o-secondary"]) as model,
        proxy_server(seed=1, env={"PATH": os.environ["PATH"]}) as faults,
    ):
        ports = {
            "litellm": model.port,
            "qdrant": qdrant.port,
            "redis": redis.port,
            "postgres": database.port,
        }
        proxies = {
            name: await faults.client.create(
                name, f"127.0.0.1:{port}", listen=f"127.0.0.1:{free_port('127.0.0.1')}"
            )
            for name, port in ports.items()
        }
        yield Backends(model, database, proxies)


@dataclass(frozen=True)
class Instance:
    """A running service. `log` is the file of its output."""

    port: int
    process: asyncio.subprocess.Process
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_until_delivered(self) -> None:
        """Return once the database is connected and has all usage that was recorded."""
        async with asyncio.timeout(DELIVER_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while True:
                metrics = (await client.get(f"{self.url}/metrics")).text
                if "\ndatabase_up 1.0" in metrics and "\nusage_outbox_rows 0.0" in metrics:
                    return
                await asyncio.sleep(0.1)

    async def stop(self) -> int:
        """Tell it to stop; return its exit status once it has drained. Kills it after STOP_SECONDS."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@asynccontextmanager
async def run_instance(variables: Mapping[str, str], folder: Path) -> AsyncIterator[Instance]:
    """A service that answers, in its own working folder; stopped at the end, if it still runs."""
    port = free_port()
    log = folder / "log.jsonl"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "uvicorn", "api.main:app", "--app-dir", str(SOURCE), "--port", str(port)],
            cwd=folder,
            env={"PATH": os.defpath, **variables},
            stdout=output,
            stderr=output,
        )
    async with AsyncExitStack() as stack:
        instance = Instance(port, process, log)
        stack.push_async_callback(instance.stop)
        await _wait_until_it_answers(instance)
        yield instance


async def _wait_until_it_answers(instance: Instance) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert instance.process.returncode is None, f"the service ended at its start, see {instance.log}"
            try:
                await client.get(f"{instance.url}/health")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def log_in(client: httpx.AsyncClient) -> str:
    """A token of the user who may do everything."""
    answer = await client.post("/auth/login", json={"username": USER, "password": PASSWORD})
    return str(answer.raise_for_status().json()["access_token"])


async def identify(url: str) -> list[dict[str, str]]:
    """The headers by which that user is known: a token's and an API key's."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        bearer = {"Authorization": f"Bearer {await log_in(client)}"}
        made = await client.post("/v1/api-keys", json={"name": "load"}, headers=bearer)
        return [bearer, {"X-API-Key": made.raise_for_status().json()["key"]}]
