"""Whether the providers can be reached, asked at most every second or so."""

import asyncio
import time

from src.models.responses import ProviderHealth
from src.services.errors import LLMError
from src.services.providers.base import Provider

PING_TIMEOUT = 4.0
FRESH = 1.5


class HealthCheck:
    def __init__(self, providers: dict[str, Provider]) -> None:
        self.providers = providers
        self._lock = asyncio.Lock()
        self._last: dict[str, ProviderHealth] = {}
        self._at = float("-inf")

    async def check(self) -> dict[str, ProviderHealth]:
        async with self._lock:
            if time.monotonic() - self._at > FRESH:
                results = await asyncio.gather(*map(ping, self.providers.values()))
                self._last = dict(zip(self.providers, results, strict=True))
                self._at = time.monotonic()
            return self._last


async def ping(provider: Provider) -> ProviderHealth:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await provider.ping()
    except TimeoutError:
        return ProviderHealth(status="down", detail="did not answer in time")
    except LLMError as error:
        return ProviderHealth(status="down", detail=error.message)
    return ProviderHealth(status="up")
