"""Limits for callers (a leaky bucket, GCRA) and for money (a total for each day)."""

import math
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from src.core.errors import ApiError


class CallerLimit:
    """Generic cell rate algorithm: a bucket of `requests`, filled evenly in `window` seconds."""

    def __init__(self, requests: int, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = window / requests
        self._window = window
        self._clock = clock
        self._arrivals: dict[str, float] = {}
        self._swept = clock()

    def __len__(self) -> int:
        return len(self._arrivals)

    def admit(self, address: str) -> None:
        now = self._clock()
        self._sweep(now)
        arrival = max(self._arrivals.get(address, now), now)
        wait = arrival + self._interval - self._window - now
        if wait > 1e-6:
            raise ApiError(
                429,
                "too_many_requests",
                "You have sent too many requests. Try again later.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        self._arrivals[address] = arrival + self._interval

    def _sweep(self, now: float) -> None:
        if now - self._swept < self._window:
            return
        self._swept = now
        self._arrivals = {address: at for address, at in self._arrivals.items() if at > now}


class Budget:
    """What was spent today (UTC)."""

    def __init__(self, limit: float, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._limit = limit
        self._today = today
        self._day = today()
        self._spent = 0.0

    def check(self) -> None:
        if self._today() != self._day:
            self._day, self._spent = self._today(), 0.0
        if self._spent >= self._limit:
            raise ApiError(402, "budget_spent", "The budget of the day is spent.")

    def add(self, cost: float | None) -> None:
        self._spent += cost or 0.0
