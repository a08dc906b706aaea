"""Counters in fixed windows, and how a request takes from several of them at once.

A window of 60 seconds runs from one full minute to the next (Unix time, UTC), a window of a day from midnight to
midnight. So all who count agree on the windows without talking about them.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple


class Charge(NamedTuple):
    """What a request takes from one counter.

    The request is admitted if `need` is left of `limit` in the window of `seconds`; then `amount` is counted. `base` is
    the least that is used of a window, before this request; None if that must be found out for a new one.
    """

    key: str
    limit: int
    seconds: int
    amount: int
    need: int
    base: int | None = 0


class Count(NamedTuple):
    """What is used of a counter in the window that began at `start`, in Unix seconds."""

    used: int
    start: int


class Status(Enum):
    """`UNKNOWN`: nothing was decided, since a counter has no base."""

    ADMITTED = 1
    REFUSED = 0
    UNKNOWN = -1


class Reservation(NamedTuple):
    """What became of a request's charges: all were counted, or none. `now` is the counters' own Unix time."""

    status: Status
    now: float
    counts: Sequence[Count]


class Adjustment(NamedTuple):
    """A correction of what was counted in the window that began at `start`; without effect once that has ended."""

    key: str
    start: int
    seconds: int
    amount: int


def window_start(now: float, seconds: int) -> int:
    """When the window of `seconds` began in which `now` is."""
    return int(now) - int(now) % seconds


class MemoryCounters:
    """Counters of this process. Those of a window are dropped when the next one begins."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[int, tuple[int, dict[str, int]]] = {}

    def reserve(self, charges: Sequence[Charge]) -> Reservation:
        """Count all charges, or none."""
        now = self._clock()
        counts = []
        status = Status.ADMITTED
        for charge in charges:
            start, counters = self._window(charge.seconds, now)
            known = [used for used in (counters.get(charge.key), charge.base) if used is not None]
            if not known:
                return Reservation(Status.UNKNOWN, now, ())
            used = max(known)
            counters[charge.key] = used
            counts.append(Count(used, start))
            if used + charge.need > charge.limit:
                status = Status.REFUSED
        if status is Status.ADMITTED:
            for i, charge in enumerate(charges):
                used, start = counts[i]
                counts[i] = Count(used + charge.amount, start)
                self._window(charge.seconds, now)[1][charge.key] = used + charge.amount
        return Reservation(status, now, counts)

    def adjust(self, adjustments: Iterable[Adjustment]) -> None:
        now = self._clock()
        for key, at, seconds, amount in adjustments:
            start, counters = self._window(seconds, now)
            if start == at and key in counters:
                counters[key] += amount

    def copy(self, charges: Sequence[Charge], counts: Sequence[Count]) -> None:
        """Take over counts that others have made."""
        now = self._clock()
        for charge, count in zip(charges, counts, strict=True):
            start, counters = self._window(charge.seconds, now)
            if start == count.start:
                counters[charge.key] = count.used

    def _window(self, seconds: int, now: float) -> tuple[int, dict[str, int]]:
        start = window_start(now, seconds)
        window = self._windows.get(seconds)
        if window is None or window[0] != start:
            window = self._windows[seconds] = (start, {})
        return window
