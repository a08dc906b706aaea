"""The number of requests that each client may send."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from src.services.errors import RequestLimitError

_MOST_CLIENTS = 100_000
"""Clients kept in memory. Beyond it the one that has been quiet for longest is forgotten."""


class SlidingWindow:
    """Lets a client pass `limit` times in any `window` seconds, and forgets it after a window without a request.

    Only requests that pass count. The clients are kept in the order of their last one, so the expired ones are found
    at the front.
    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._passed: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of clients in memory."""
        return len(self._passed)

    def check(self, client: str) -> None:
        """Count a request. Raises RequestLimitError if it is one too many."""
        now = self._clock()
        self._forget(now)
        times = self._passed.setdefault(client, deque())
        while times and times[0] + self._window <= now:
            times.popleft()
        if len(times) >= self._limit:
            raise RequestLimitError(retry_after=times[0] + self._window - now)
        times.append(now)
        self._passed.move_to_end(client)

    def _forget(self, now: float) -> None:
        while self._passed:
            times = next(iter(self._passed.values()))
            expired = times[-1] + self._window <= now
            if not expired and len(self._passed) < _MOST_CLIENTS:
                return
            self._passed.popitem(last=False)
