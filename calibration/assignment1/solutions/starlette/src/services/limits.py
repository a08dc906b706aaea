"""Limits for callers and for money."""

import math
import time
from datetime import UTC, datetime

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


class RequestLimit:
    def __init__(self, requests: int, window: int) -> None:
        self.item = RateLimitItemPerSecond(requests, window)
        self.limiter = MovingWindowRateLimiter(MemoryStorage())

    async def seconds_to_wait(self, address: str) -> int:
        """Counts a request: 0 where it is within the limit."""
        if await self.limiter.hit(self.item, address):
            return 0
        stats = await self.limiter.get_window_stats(self.item, address)
        return max(1, math.ceil(stats.reset_time - time.time()))


class DailySpend:
    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.day = self.today()
        self.total = 0.0

    @staticmethod
    def today() -> str:
        return datetime.now(UTC).date().isoformat()

    def add(self, cost: float) -> None:
        self.start_new_day()
        self.total += cost

    def is_used_up(self) -> bool:
        self.start_new_day()
        return self.total >= self.limit

    def start_new_day(self) -> None:
        if self.day != self.today():
            self.day, self.total = self.today(), 0.0
