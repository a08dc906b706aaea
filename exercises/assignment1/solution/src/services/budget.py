"""The money that may be spent in a day."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from src.services.errors import BudgetSpentError


def _today() -> date:
    return datetime.now(UTC).date()


class DailyBudget:
    """Adds up costs in US dollars, from zero each day (UTC).

    The cost of a completion is known at its end, so requests at the same time can overrun the limit by their costs.
    """

    def __init__(self, limit: float, today: Callable[[], date] = _today) -> None:
        self._limit = limit
        self._today = today
        self._day = today()
        self._spent = 0.0

    @property
    def spent(self) -> float:
        self._turn_over()
        return self._spent

    def check(self) -> None:
        """Raise BudgetSpentError if nothing is left for today."""
        if self.spent >= self._limit:
            raise BudgetSpentError

    def add(self, cost: float) -> None:
        self._turn_over()
        self._spent += cost

    def _turn_over(self) -> None:
        if (today := self._today()) != self._day:
            self._day, self._spent = today, 0.0
