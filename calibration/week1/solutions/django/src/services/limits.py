"""The request limit, by the library `limits`: its memory storage drops what has expired."""

import math
import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


class TooMany(Exception):
    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


class RequestLimit:
    """A moving window for each address."""

    def __init__(self, requests: int, window: int) -> None:
        self._item = RateLimitItemPerSecond(requests, window)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def check(self, client: str) -> None:
        if not await self._limiter.hit(self._item, client):
            stats = await self._limiter.get_window_stats(self._item, client)
            raise TooMany(max(1, math.ceil(stats.reset_time - time.time())))
