"""A token bucket for each client."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_IDLE_BUCKETS = 10_000


@dataclass(slots=True)
class Bucket:
    tokens: float
    updated: float


class TokenBucketLimiter:
    """At most `requests` at once, refilled evenly over `window` seconds.

    Nothing in `acquire` awaits, so requests at the same time cannot slip through.
    """

    def __init__(
        self, requests: int, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.requests = requests
        self.window = window
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def acquire(self, client: str) -> float:
        """Takes a token: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        bucket = self._bucket(client, now)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) * self.window / self.requests

    def reset(self) -> None:
        self._buckets.clear()

    def _bucket(self, client: str, now: float) -> Bucket:
        bucket = self._buckets.get(client)
        if bucket is None:
            if len(self._buckets) >= MAX_IDLE_BUCKETS:
                self._forget_full(now)
            bucket = self._buckets[client] = Bucket(float(self.requests), now)
        gained = (now - bucket.updated) * self.requests / self.window
        bucket.tokens = min(float(self.requests), bucket.tokens + gained)
        bucket.updated = now
        return bucket

    def _forget_full(self, now: float) -> None:
        idle = [name for name, b in self._buckets.items() if now - b.updated >= self.window]
        for name in idle:
            del self._buckets[name]


def retry_after_header(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
