import asyncio
import logging
import time

import httpx

from api.settings import Settings

log = logging.getLogger("api.health")
KEEP_SECONDS = 5.0
CHECK_SECONDS = 3.0


class Health:
    def __init__(self, settings: Settings) -> None:
        self.targets = {
            "qdrant": settings.base("qdrant_url") + "/healthz",
            "litellm": settings.base("litellm_url") + "/health/liveliness",
            "mlflow": settings.base("mlflow_tracking_uri") + "/health",
        }
        self.lock = asyncio.Lock()
        self.report: dict[str, bool] = {}
        self.made = float("-inf")

    async def check(self) -> dict[str, bool]:
        async with self.lock:
            if time.monotonic() - self.made > KEEP_SECONDS:
                async with httpx.AsyncClient(timeout=CHECK_SECONDS) as client:
                    flags = await asyncio.gather(*(self._one(client, url) for url in self.targets.values()))
                self.report = dict(zip(self.targets, flags, strict=True))
                self.made = time.monotonic()
                if down := [name for name, up in self.report.items() if not up]:
                    log.warning("not ready: %s", ", ".join(down))
            return self.report

    async def _one(self, client: httpx.AsyncClient, url: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return (await client.get(url)).is_success
        except (httpx.HTTPError, TimeoutError):
            return False
