import asyncio
import time
from pathlib import Path

import httpx
import orjson

from api import log as logs
from api.config import config

log = logs.get("api.runs")


class Runs:
    """An outbox: a file per run, removed once MLflow has it. What is left over is sent with the next start."""

    def __init__(self) -> None:
        self.folder = Path("outbox")
        self.news = asyncio.Event()
        self.http = httpx.AsyncClient(base_url=config.mlflow_tracking_uri, timeout=2)
        self.task: asyncio.Task | None = None
        self.number = 0

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.news.set()
        self.task = asyncio.create_task(self.work())

    def put(self, **run) -> None:
        self.number += 1
        path = self.folder / f"{time.time_ns()}-{self.number}.json"
        path.write_bytes(orjson.dumps(run))
        self.news.set()

    async def work(self) -> None:
        while True:
            await self.news.wait()
            self.news.clear()
            try:
                for path in sorted(self.folder.glob("*.json")):
                    await self.send(orjson.loads(path.read_bytes()))
                    path.unlink()
            except (httpx.HTTPError, TimeoutError) as error:
                log.warning("MLflow does not take runs", reason=type(error).__name__)
                await asyncio.sleep(2)
                self.news.set()

    async def send(self, run: dict) -> None:
        params = [{"key": key, "value": str(value)} for key, value in run.items()]
        now = int(time.time() * 1000)
        async with asyncio.timeout(3):
            made = await self.http.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0", "start_time": now})
            made.raise_for_status()
            run_id = made.json()["run"]["info"]["run_id"]
            logged = await self.http.post("/api/2.0/mlflow/runs/log-batch", json={"run_id": run_id, "params": params})
            logged.raise_for_status()

    async def stop(self) -> None:
        until = time.monotonic() + 2
        while any(self.folder.glob("*.json")) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if self.task:
            self.task.cancel()
            await asyncio.wait([self.task])
        await self.http.aclose()
