"""What users have spent today, for budgets whose counters Redis has lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("api.limits")

SpentToday = Callable[[str], Awaitable[float]]
"""US dollars that a user has spent since midnight, UTC."""

ASK_SECONDS = 5.0
"""How long an answer may take, and may wait for somebody to need it."""
REST_SECONDS = 5.0
"""How long nobody is asked after a failure."""
MICRODOLLARS = 1_000_000


class Spending:
    """Asks once for each user at a time, and goes on asking when whoever waits has to give up."""

    def __init__(self, spent_today: SpentToday | None) -> None:
        self._spent_today = spent_today
        self._asking: dict[str, tuple[asyncio.Task[int | None], float]] = {}
        self._resting_until = 0.0

    async def today(self, user: str, deadline: float) -> int | None:
        """Millionths of a US dollar; None if that is not known by `deadline`, on the event loop's clock.

        An answer that comes too late is for whoever asks next.
        """
        if self._spent_today is None:
            return 0
        now = time.monotonic()
        asking, began = self._asking.get(user, (None, 0.0))
        if asking is None or began + ASK_SECONDS < now:
            if now < self._resting_until:
                return None
            asking = asyncio.create_task(self._ask(user, self._spent_today))
            self._asking[user] = (asking, now)
        timeout = deadline - asyncio.get_running_loop().time()
        await asyncio.wait([asking], timeout=max(0.0, timeout))
        if not asking.done():
            return None
        self._asking.pop(user, None)
        return asking.result()

    async def close(self) -> None:
        tasks = [asking for asking, _ in self._asking.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _ask(self, user: str, spent_today: SpentToday) -> int | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return round(await spent_today(user) * MICRODOLLARS)
        except Exception as error:  # noqa: BLE001  whatever it is, no caller may suffer for it
            self._resting_until = time.monotonic() + REST_SECONDS
            log.warning("budget not known", error=type(error).__name__, resting_s=REST_SECONDS)
            return None
