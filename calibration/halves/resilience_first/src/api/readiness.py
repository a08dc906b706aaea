import asyncio
import time
from dataclasses import dataclass

import httpx

from api.config import Config


@dataclass(frozen=True)
class Check:
    healthy: bool
    latency_ms: float
    message: str


class Readiness:
    def __init__(self, config: Config) -> None:
        self._client = httpx.AsyncClient(timeout=4.0)
        self._urls = {
            "qdrant": f"{config.qdrant}/readyz",
            "litellm": f"{config.litellm}/health/readiness",
            "mlflow": f"{config.mlflow}/health",
        }

    async def report(self) -> dict[str, Check]:
        return {name: await self._ask(url) for name, url in self._urls.items()}

    async def _ask(self, url: str) -> Check:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(4):
                response = await self._client.get(url)
            healthy, message = response.is_success, f"HTTP {response.status_code}"
        except (httpx.HTTPError, TimeoutError) as error:
            healthy, message = False, type(error).__name__
        return Check(healthy, round((time.perf_counter() - began) * 1000, 1), message)

    async def close(self) -> None:
        await self._client.aclose()
