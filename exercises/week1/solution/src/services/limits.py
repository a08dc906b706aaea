"""The number of requests that each client may send."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable


class RequestLimitError(Exception):
    """The client has sent too many requests. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many requests")
        self.retry_after = retry_after


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
            raise RequestLimitError(times[0] + self._window - now)
        times.append(now)
        self._passed.move_to_end(client)

    def _forget(self, now: float) -> None:
        while self._passed and next(iter(self._passed.values()))[-1] + self._window <= now:
            self._passed.popitem(last=False)
