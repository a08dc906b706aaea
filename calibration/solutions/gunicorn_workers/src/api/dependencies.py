"""Whether what we depend on is there; each worker asks for itself, and keeps what it heard for 4 s."""

import asyncio
import time

import httpx


class Dependencies:
    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.known: dict[str, bool] = {}
        self.until = 0.0
        self.asking: asyncio.Future | None = None

    async def healthy(self) -> dict[str, bool]:
        if time.monotonic() < self.until:
            return self.known
        if self.asking is None or self.asking.done():
            self.asking = asyncio.ensure_future(self._ask_all())
        return await asyncio.shield(self.asking)

    async def _ask_all(self) -> dict[str, bool]:
        async with httpx.AsyncClient(timeout=3.0) as http:
            answers = await asyncio.gather(*(self._ask(http, url) for url in self.urls.values()))
        self.known = dict(zip(self.urls, answers))
        self.until = time.monotonic() + 4
        return self.known

    async def _ask(self, http: httpx.AsyncClient, url: str) -> bool:
        try:
            return (await asyncio.wait_for(http.get(url), 3.0)).status_code < 300
        except (httpx.HTTPError, TimeoutError):
            return False
