"""What users have spent today, for budgets whose counters Redis has lost, or have not counted everything."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger("api.limits")

SpentToday = Callable[[str], Awaitable[float]]
"""US dollars that a user has spent since midnight, UTC."""

ASK_SECONDS = 5.0
"""How long an answer may take, and may wait for somebody to need it."""
REST_SECONDS = 5.0
"""How long nobody is asked after a failure."""
MICRODOLLARS = 1_000_000


@dataclass(slots=True)
class _Asking:
    """A question under way. `complete`: the answer has all that no counter knows of."""

    task: asyncio.Task[int | None]
    began: float
    complete: bool = True


class Spending:
    """Asks once for each user at a time, and goes on asking when whoever waits has to give up."""

    def __init__(self, spent_today: SpentToday | None) -> None:
        self._spent_today = spent_today
        self._asking: dict[str, _Asking] = {}
        self._uncounted: set[str] = set()
        self._resting_until = 0.0

    def add_uncounted(self, user: str) -> None:
        """Take note that a user has spent what no counter knows of."""
        self._uncounted.add(user)
        if asking := self._asking.get(user):
            asking.complete = False

    def is_uncounted(self, user: str) -> bool:
        """Whether a user has spent what no counter knows of, and no answer since has had it."""
        return user in self._uncounted

    async def today(self, user: str, deadline: float) -> int | None:
        """Millionths of a US dollar; None if that is not known by `deadline`, on the event loop's clock.

        An answer that comes too late is for whoever asks next.
        """
        if self._spent_today is None:
            return 0
        now = time.monotonic()
        asking = self._asking.get(user)
        if asking is None or asking.began + ASK_SECONDS < now:
            if now < self._resting_until:
                return None
            asking = _Asking(asyncio.create_task(self._ask(user, self._spent_today)), now)
            self._asking[user] = asking
        timeout = deadline - asyncio.get_running_loop().time()
        await asyncio.wait([asking.task], timeout=max(0.0, timeout))
        if not asking.task.done():
            return None
        self._asking.pop(user, None)
        spent = asking.task.result()
        if spent is not None and asking.complete:
            self._uncounted.discard(user)
        return spent

    async def close(self) -> None:
        tasks = [asking.task for asking in self._asking.values()]
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
