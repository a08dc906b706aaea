"""What users have spent today, for budgets whose counters Redis has lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("api.limits")

SpentToday = Callable[[str], Awaitable[float]]
"""US dollars that a user has spent since midnight, UTC."""

REST_SECONDS = 5.0
"""How long nobody is asked after a failure."""
MICRODOLLARS = 1_000_000


class Spending:
    """Asks once for each user at a time, and goes on asking when whoever waits has to give up."""

    def __init__(self, spent_today: SpentToday | None) -> None:
        self._spent_today = spent_today
        self._asking: dict[str, asyncio.Task[int | None]] = {}
        self._resting_until = 0.0

    async def today(self, user: str, deadline: float) -> int | None:
        """Millionths of a US dollar; None if that is not known by `deadline`, on the event loop's clock.

        An answer that comes too late is for whoever asks next.
        """
        if self._spent_today is None:
            return 0
        asking = self._asking.get(user)
        if asking is None:
            if time.monotonic() < self._resting_until:
                return None
            asking = self._asking[user] = asyncio.create_task(self._ask(user, self._spent_today))
        timeout = deadline - asyncio.get_running_loop().time()
        await asyncio.wait([asking], timeout=max(0.0, timeout))
        if not asking.done():
            return None
        self._asking.pop(user, None)
        return asking.result()

    async def close(self) -> None:
        for asking in self._asking.values():
            asking.cancel()
        if self._asking:
            await asyncio.wait(self._asking.values())

    async def _ask(self, user: str, spent_today: SpentToday) -> int | None:
        try:
            return round(await spent_today(user) * MICRODOLLARS)
        except Exception as error:  # noqa: BLE001  whatever it is, no caller may suffer for it
            self._resting_until = time.monotonic() + REST_SECONDS
            log.warning("budget not known", error=type(error).__name__, resting_s=REST_SECONDS)
            return None
