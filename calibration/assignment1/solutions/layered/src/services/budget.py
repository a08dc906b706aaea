"""What has been spent today."""

from collections.abc import Callable
from datetime import UTC, date, datetime


def today_utc() -> date:
    return datetime.now(UTC).date()


class DailyBudget:
    def __init__(self, limit: float, today: Callable[[], date] = today_utc) -> None:
        self.limit = limit
        self._today = today
        self._day = today()
        self._spent = 0.0

    @property
    def spent(self) -> float:
        if (day := self._today()) != self._day:
            self._day, self._spent = day, 0.0
        return self._spent

    @property
    def exhausted(self) -> bool:
        return self.spent >= self.limit

    def add(self, cost: float | None) -> None:
        self._spent = self.spent + (cost or 0.0)
