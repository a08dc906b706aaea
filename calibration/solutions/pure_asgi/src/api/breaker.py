import logging
import time
from collections import deque

from api.errors import CircuitOpen

log = logging.getLogger("api.breaker")


class RateBreaker:
    """Opens when of at least `least` calls within the `window` (seconds) a share of `rate` failed.

    After `pause` seconds up to `probes` calls are let through; two good ones close it, a bad one opens it again.
    """

    def __init__(self, *, window: float = 30.0, least: int = 8, rate: float = 0.6, pause: float = 10.0, probes: int = 3) -> None:
        self.window, self.least, self.rate, self.pause, self.probes = window, least, rate, pause, probes
        self._calls: deque[tuple[float, bool]] = deque()
        self._open_until: float | None = None
        self._probing = self._good = 0
        self._generation = 0

    @property
    def state(self) -> str:
        if self._open_until is None:
            return "closed"
        return "open" if time.monotonic() < self._open_until else "half-open"

    def enter(self) -> int:
        """A ticket for one call, to be given back to `leave`. Raises CircuitOpen."""
        if self._open_until is not None:
            left = self._open_until - time.monotonic()
            if left > 0 or self._probing >= self.probes:
                raise CircuitOpen(headers={"Retry-After": str(max(1, int(left + 1)))})
            self._probing += 1
        return self._generation

    def leave(self, ticket: int, failed: bool | None) -> None:
        """`failed` is None for a call that says nothing about the model: its caller has left."""
        if ticket != self._generation:
            return
        if self._open_until is not None:
            self._probing -= 1
            if failed:
                self._open()
            elif failed is False:
                self._good += 1
                if self._good >= 2:
                    log.warning("circuit closed")
                    self._renew(None)
        elif failed is not None:
            now = time.monotonic()
            self._calls.append((now, failed))
            while self._calls[0][0] < now - self.window:
                self._calls.popleft()
            bad = sum(failed for _, failed in self._calls)
            if failed and len(self._calls) >= self.least and bad >= self.rate * len(self._calls):
                self._open()

    def _open(self) -> None:
        log.error("circuit opened for %.0f s", self.pause)
        self._renew(time.monotonic() + self.pause)

    def _renew(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._calls.clear()
        self._probing = self._good = 0
        self._generation += 1
