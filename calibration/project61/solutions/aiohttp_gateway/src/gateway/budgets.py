"""Daily budgets in US dollars."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import structlog

from .database import Unavailable
from .errors import ApiError
from .identity import Caller
from .ledger import UsageReport, today
from .metrics import Metrics

log = structlog.get_logger("gateway.budgets")


def until_tomorrow() -> int:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, int((midnight - now).total_seconds()) + 1)


class Budgets:
    def __init__(self, budgets: Mapping[str, float], report: UsageReport, metrics: Metrics) -> None:
        self._budgets = budgets
        self._report = report
        self._metrics = metrics
        self._known: dict[str, tuple[float, str, Decimal]] = {}

    def of(self, caller: Caller) -> float | None:
        return self._budgets.get(f"user:{caller.name}", self._budgets.get(caller.tier))

    async def check(self, caller: Caller) -> None:
        budget = self.of(caller)
        if budget is None or await self._spent(caller.name) <= Decimal(str(budget)):
            return
        self._metrics.over_budget.labels(caller.tier).inc()
        raise ApiError(
            429, "Your budget of today is spent.", code="insufficient_quota", kind="insufficient_quota",
            headers={"Retry-After": str(until_tomorrow())},
        )

    async def _spent(self, user: str) -> Decimal:
        """At most a second old, unless the database is away: then the last that is known of today."""
        day = today().isoformat()
        at, known_day, known = self._known.get(user, (0.0, day, Decimal(0)))
        if known_day != day:
            at, known = 0.0, Decimal(0)
        if time.monotonic() - at > 1 or not at:
            try:
                known = await self._report.spent_today(user)
            except Unavailable:
                log.warning("budgets are checked without the database")
            self._known[user] = (time.monotonic(), day, known)
        return known
