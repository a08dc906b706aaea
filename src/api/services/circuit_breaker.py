"""A circuit breaker for one upstream, for use on one event loop.

    closed ── `threshold` failures in a row ──> open ── `cooldown` seconds ──> half-open
      ^                                           ^                               │
      │                                           └────── the probe failed ───────┤
      └───────────────────────────── the probe was answered ──────────────────────┘

Half-open lets one call through at a time. More would not tell more, and an upstream that is just coming back is best
met by a single call. The slot is given back however the probe ends: also when its caller goes away.

Every change of state begins a new era, and the outcome of a call counts only in the era in which it was let through.
Calls that were let through before an outage and fail long after must not reopen a breaker that has closed since.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerOpenError(Exception):
    """The call was not made. `retry_after` is the rest of the cool-down, in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"circuit breaker is open, next attempt in {retry_after:.1f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """Stops calling an upstream that keeps failing.

    `is_failure` tells an outage from an answer that the caller does not like: only the former counts. An exception that
    is no failure proves that the upstream is alive; it closes a half-open breaker, and leaves the count of a closed one
    alone. A cancelled call proves nothing.
    """

    def __init__(
        self,
        *,
        is_failure: Callable[[Exception], bool],
        threshold: int = 5,
        cooldown: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[State, State], None] = lambda _old, _new: None,
    ) -> None:
        self._is_failure = is_failure
        self._threshold = threshold
        self._cooldown = cooldown
        self._clock = clock
        self._on_change = on_change
        self._state = State.CLOSED
        self._era = 0
        self._failures = 0
        self._opened_at = 0.0
        self._probing = False

    @property
    def state(self) -> State:
        return self._state

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def retry_after(self) -> float:
        """Seconds until a call may be let through; 0 if one may now."""
        if self._state is not State.OPEN:
            return 0.0
        return max(0.0, self._opened_at + self._cooldown - self._clock())

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Await `operation()` if the upstream may be called, else raise BreakerOpenError at once."""
        with self.guard():
            return await operation()

    @contextmanager
    def guard(self) -> Iterator[Callable[[], None]]:
        """Judge the call made inside by how the context ends; raise BreakerOpenError at once if none may be made.

        The value is to be called when the upstream shows itself alive before the call is over, as a stream does with
        its first token. A half-open breaker closes then, and does not wait for the stream's end.
        """
        era = self._admit()
        try:
            yield lambda: self._answered(era)
        except Exception as error:
            if self._is_failure(error):
                self._failed(era)
            else:
                self._answered(era)
            raise
        except BaseException:
            self._release(era)
            raise
        self._succeeded(era)

    def _admit(self) -> int:
        if self._state is State.OPEN:
            if (remaining := self.retry_after) > 0:
                raise BreakerOpenError(remaining)
            self._change(State.HALF_OPEN)
        if self._state is State.HALF_OPEN:
            if self._probing:
                raise BreakerOpenError(self.retry_after)
            self._probing = True
        return self._era

    def _succeeded(self, era: int) -> None:
        if era == self._era:
            self._failures = 0
            self._answered(era)

    def _answered(self, era: int) -> None:
        if era == self._era and self._state is State.HALF_OPEN:
            self._failures = 0
            self._change(State.CLOSED)

    def _failed(self, era: int) -> None:
        if era != self._era:
            return
        self._failures += 1
        if self._state is State.HALF_OPEN or self._failures >= self._threshold:
            self._opened_at = self._clock()
            self._change(State.OPEN)

    def _release(self, era: int) -> None:
        if era == self._era:
            self._probing = False

    def _change(self, new: State) -> None:
        old, self._state = self._state, new
        self._era += 1
        self._probing = False
        self._on_change(old, new)
