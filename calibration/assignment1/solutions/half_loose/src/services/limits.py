import math
import time
from datetime import UTC, datetime


class RateLimiter:
    def __init__(self, limit: int, window: int):
        self.limit = limit
        self.window = window
        self.clients: dict[str, list[float]] = {}

    def wait(self, client: str) -> int:
        now = time.monotonic()
        times = [t for t in self.clients.get(client, []) if t > now - self.window]
        if len(times) >= self.limit:
            return max(1, math.ceil(times[0] + self.window - now))
        self.clients[client] = [*times, now]
        return 0


class DailyCost:
    def __init__(self, limit: float):
        self.limit = limit
        self.date = None
        self.total = 0.0

    def add(self, cost: float) -> None:
        self.roll()
        self.total += cost

    def reached(self) -> bool:
        self.roll()
        return self.total >= self.limit

    def roll(self) -> None:
        today = datetime.now(UTC).date()
        if self.date != today:
            self.date, self.total = today, 0.0
