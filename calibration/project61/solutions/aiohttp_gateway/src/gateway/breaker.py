"""A circuit breaker: after failures in a row the backend is left alone, then tried with one request."""

import math
import time
from collections.abc import Callable

from .errors import ApiError

CLOSED, HALF_OPEN, OPEN = 0, 1, 2


class Breaker:
    def __init__(
        self,
        show: Callable[[int], None] = lambda state: None,
        threshold: int = 5,
        rest: float = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self.state = CLOSED
        show(CLOSED)

    def _become(self, state: int) -> None:
        self.state = state
        self._show(state)

    def enter(self) -> bool:
        """Whether the call is the trial of a breaker that is half open. Raises when it is open."""
        if self.state == CLOSED:
            return False
        if self._clock() >= self._until:
            self._become(HALF_OPEN)
            self._until = self._clock() + self._rest  # a trial that never ends blocks no later one
            return True
        wait = max(1, math.ceil(self._until - self._clock()))
        raise ApiError(
            503, "The backend is not available at the moment.", code="backend_unavailable",
            headers={"Retry-After": str(wait)},
        )

    def succeeded(self) -> None:
        self._failures = 0
        if self.state != CLOSED:
            self._become(CLOSED)

    def failed(self) -> None:
        self._failures += 1
        if self.state == HALF_OPEN or self._failures >= self._threshold:
            self._until = self._clock() + self._rest
            self._become(OPEN)
