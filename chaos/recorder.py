"""Collects the events of one experiment from all their sources, on one clock."""

import time
from collections.abc import Callable
from typing import TypeVar

from chaos.history import Event, History

E = TypeVar("E", bound=Event)


class Recorder:
    """Stamps events with seconds since it was made and keeps them in order of arrival.

    It belongs to one event loop: every source records from that loop's thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._events: list[Event] = []

    def now(self) -> float:
        """Seconds since the experiment began."""
        return self._clock() - self._start

    def record(self, event: E) -> E:
        """Keep `event`, stamped with the present time; returns what was kept."""
        stamped = event.model_copy(update={"t": round(self.now(), 6)})
        self._events.append(stamped)
        return stamped

    def history(self) -> History:
        """What was recorded until now."""
        return History(self._events)
