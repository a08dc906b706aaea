import asyncio
import json
import time
from collections import deque
from pathlib import Path

import httpx
import structlog

from api.settings import MLFLOW

log = structlog.get_logger("api.telemetry")
FALLBACK = Path("fallback-traces.jsonl")


class Telemetry:
    """Sends traces one after the other; while MLflow is down they go to the file at once."""

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=MLFLOW, timeout=httpx.Timeout(1.5))
        self.waiting: deque[dict] = deque()
        self.wake = asyncio.Event()
        self.closing = False
        self.sender: asyncio.Task | None = None

    def start(self) -> None:
        self.sender = asyncio.create_task(self.send_all())

    def add(self, trace: dict) -> None:
        self.waiting.append({"at": int(time.time() * 1000), **trace})
        self.wake.set()

    async def send_all(self) -> None:
        while self.waiting or not self.closing:
            if not self.waiting:
                self.wake.clear()
                await self.wake.wait()
                continue
            trace = self.waiting[0]
            try:
                async with asyncio.timeout(1.5):
                    response = await self.client.post("/api/2.0/mlflow/runs/create", json={
                        "experiment_id": "0", "start_time": trace["at"],
                        "tags": [{"key": k, "value": str(v)} for k, v in trace.items()],
                    })
                response.raise_for_status()
                self.waiting.popleft()
            except (httpx.HTTPError, TimeoutError) as error:
                log.warning("mlflow is not available", reason=type(error).__name__)
                self.save()

    def save(self) -> None:
        with FALLBACK.open("a") as file:
            while self.waiting:
                file.write(json.dumps(self.waiting.popleft()) + "\n")

    async def close(self) -> None:
        self.closing = True
        self.wake.set()
        if self.sender:
            _, late = await asyncio.wait([self.sender], timeout=4)
            for task in late:
                task.cancel()
        self.save()
        await self.client.aclose()
