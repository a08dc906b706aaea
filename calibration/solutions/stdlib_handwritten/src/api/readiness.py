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
    """One round of checks at a time; whoever asks meanwhile gets its result."""

    def __init__(self, config: Config) -> None:
        self._client = httpx.AsyncClient(timeout=4.0)
        self._urls = {
            "qdrant": f"{config.qdrant}/readyz",
            "litellm": f"{config.litellm}/health/readiness",
            "mlflow": f"{config.mlflow}/health",
        }
        self._round: asyncio.Task[dict[str, Check]] | None = None

    async def report(self) -> dict[str, Check]:
        if self._round is None:
            self._round = asyncio.create_task(self._ask_all())
            self._round.add_done_callback(lambda _: setattr(self, "_round", None))
        return await asyncio.shield(self._round)

    async def _ask_all(self) -> dict[str, Check]:
        checks = await asyncio.gather(*map(self._ask, self._urls.values()))
        return dict(zip(self._urls, checks, strict=True))

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
