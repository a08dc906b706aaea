import asyncio
import time

import httpx

from api.config import config

URLS = {"qdrant": f"{config.qdrant_url}/healthz", "litellm": f"{config.litellm_url}/health/liveliness",
        "mlflow": f"{config.mlflow_tracking_uri}/health"}


class Status:
    """Asks in the background every few seconds; callers get what is known, and so cost nothing."""

    EVERY = 3.0

    def __init__(self) -> None:
        self.known: dict[str, dict] = {}
        self.first = asyncio.Event()
        self.task: asyncio.Task | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.watch())

    async def watch(self) -> None:
        while True:
            async with httpx.AsyncClient(timeout=3) as http:
                found = await asyncio.gather(*(self.look(http, url) for url in URLS.values()))
            self.known = dict(zip(URLS, found))
            self.first.set()
            await asyncio.sleep(self.EVERY)

    async def look(self, http: httpx.AsyncClient, url: str) -> dict:
        began = time.monotonic()
        try:
            async with asyncio.timeout(3):
                healthy = (await http.get(url)).is_success
        except (httpx.HTTPError, TimeoutError):
            healthy = False
        return {"healthy": healthy, "latency_ms": round((time.monotonic() - began) * 1000), "at": time.time()}

    async def report(self) -> dict[str, dict]:
        await asyncio.wait_for(self.first.wait(), 8)
        return self.known

    async def stop(self) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.wait([self.task])
