"""Collects the events of one experiment from all their sources, on one clock."""

import time
from collections.abc import Callable
from typing import TypeVar

from chaos.history import Event, History

E = TypeVar("E", bound=Event)

FEW = 20


class Recorder:
    """Stamps events with seconds since it was made and keeps them in order.

    It belongs to one event loop: every source records from that loop's thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._events: list[Event] = []

    def now(self) -> float:
        """Seconds since the experiment began."""
        return self._clock() - self._start

    def record(self, event: E, *, at: float | None = None) -> E:
        """Keep `event`, stamped with the present time; returns what was kept.

        One that others have seen happen at `at` seconds, and told later, takes its place among the rest.
        """
        stamped = event.model_copy(update={"t": round(self.now() if at is None else max(at, 0.0), 6)})
        place = len(self._events)
        while at is not None and place and self._events[place - 1].t > stamped.t:
            place -= 1
        self._events.insert(place, stamped)
        return stamped

    def history(self) -> History:
        """What was recorded until now."""
        return History(self._events)


class LastEvents(Recorder):
    """Keeps the last few events: for a program whose output nobody reads unless it fails."""

    def record(self, event: E, *, at: float | None = None) -> E:
        """Keep `event`, and forget an earlier one."""
        stamped = super().record(event, at=at)
        del self._events[:-FEW]
        return stamped
