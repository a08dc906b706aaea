"""Fixed windows for callers, and a daily purse for money."""

import math
import time
from collections.abc import Callable
from datetime import UTC, date, datetime


class WindowLimiter:
    """The windows of all clients begin and end together."""

    def __init__(
        self, requests: int, window: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.requests = requests
        self.window = window
        self.clock = clock
        self.start = clock()
        self.counts: dict[str, int] = {}

    def hit(self, client: str) -> int | None:
        """Counts a request. None if it may pass, else the seconds until the next window."""
        now = self.clock()
        if now - self.start >= self.window:
            self.start = now - (now - self.start) % self.window
            self.counts.clear()
        self.counts[client] = self.counts.get(client, 0) + 1
        if self.counts[client] <= self.requests:
            return None
        return max(1, math.ceil(self.start + self.window - now))


class Purse:
    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent_on: dict[date, float] = {}

    @property
    def empty(self) -> bool:
        return self.spent_on.get(today(), 0.0) >= self.limit

    def pay(self, dollars: float) -> None:
        self.spent_on = {today(): self.spent_on.get(today(), 0.0) + dollars}


def today() -> date:
    return datetime.now(UTC).date()
