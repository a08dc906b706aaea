import asyncio
import json
import logging
import os
import time
from pathlib import Path

import httpx

log = logging.getLogger("api.traces")


class Traces:
    """Sent by tasks of their own. Every worker has a file of its own for those that cannot be sent."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.AsyncClient(base_url=base_url, timeout=2.0)
        self.tasks: set[asyncio.Task] = set()
        self.file = Path("traces") / f"unsent-{os.getpid()}.jsonl"

    def add(self, trace: dict) -> None:
        trace["time"] = time.time_ns() // 1_000_000
        task = asyncio.create_task(self._send(trace))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send(self, trace: dict) -> None:
        try:
            async with asyncio.timeout(2.0):
                response = await self.http.post("/api/2.0/mlflow/runs/create", json={
                    "experiment_id": "0", "start_time": trace["time"],
                    "tags": [{"key": key, "value": str(value)} for key, value in trace.items()],
                })
                response.raise_for_status()
        except (httpx.HTTPError, TimeoutError, asyncio.CancelledError) as error:
            self.file.parent.mkdir(exist_ok=True)
            with self.file.open("a") as file:
                file.write(json.dumps(trace) + "\n")
            log.warning("trace kept in %s: %s", self.file, type(error).__name__)

    async def close(self) -> None:
        if self.tasks:
            log.info("shutdown: %d traces are on their way", len(self.tasks))
            _, late = await asyncio.wait(self.tasks, timeout=3)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.http.aclose()
