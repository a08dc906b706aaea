import asyncio
import time

import httpx


class Probes:
    def __init__(self, **urls: str) -> None:
        self.urls = urls
        self._http = httpx.AsyncClient(timeout=2.5)
        self._lock = asyncio.Lock()
        self._known: tuple[float, dict[str, dict]] = (0.0, {})

    async def report(self) -> dict[str, dict]:
        async with self._lock:
            when, known = self._known
            if not known or time.monotonic() - when > 2:
                results = await asyncio.gather(*(self._probe(url) for url in self.urls.values()))
                known = dict(zip(self.urls, results, strict=True))
                self._known = time.monotonic(), known
        return known

    async def _probe(self, url: str) -> dict:
        try:
            async with asyncio.timeout(2.5):
                answer = await self._http.get(url)
            return {"status": "up" if answer.is_success else "down", "code": answer.status_code}
        except (TimeoutError, httpx.TransportError):
            return {"status": "down", "code": None}

    async def close(self) -> None:
        await self._http.aclose()
