"""Asks the provider in the background whether it is there."""

import asyncio

from src.services.errors import ProviderError
from src.services.providers import Provider

PERIOD = 3.0
TIMEOUT = 3.0


class Monitor:
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.up = False

    async def look(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT):
                self.up = await self.provider.reachable()
        except (ProviderError, TimeoutError):
            self.up = False
        return self.up

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(PERIOD)
