import asyncio
import time

import aiohttp

KEPT = 5
TIMEOUT = aiohttp.ClientTimeout(total=4)


class HealthChecker:
    def __init__(self, pages: dict[str, tuple[aiohttp.ClientSession, str]]) -> None:
        self.pages = pages
        self.report: dict[str, str] = {}
        self.expires = 0.0
        self.running: asyncio.Task[None] | None = None

    async def get(self) -> dict[str, str]:
        if time.monotonic() >= self.expires:
            if self.running is None:
                self.running = asyncio.create_task(self._check())
            await asyncio.shield(self.running)
        return self.report

    async def _check(self) -> None:
        results = await asyncio.gather(*(self._ask(*page) for page in self.pages.values()))
        self.report = dict(zip(self.pages, results, strict=True))
        self.expires = time.monotonic() + KEPT
        self.running = None

    async def _ask(self, session: aiohttp.ClientSession, path: str) -> str:
        try:
            async with session.get(path, timeout=TIMEOUT) as response:
                await response.read()
                return "up" if response.ok else "down"
        except (aiohttp.ClientError, TimeoutError, OSError):
            return "down"
