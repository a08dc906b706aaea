"""A circuit breaker as a decorator: it opens by the share of failures among the last calls."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from functools import wraps
from typing import ParamSpec, TypeVar

from loguru import logger

P = ParamSpec("P")
T = TypeVar("T")


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__("the circuit is open")
        until = datetime.now(UTC) + timedelta(seconds=max(seconds, 0) + 0.999)
        self.retry_after = format_datetime(until, usegmt=True)


class Breaker:
    def __init__(
        self,
        is_failure: Callable[[BaseException], bool],
        window: int = 10,
        share: float = 0.5,
        minimum: int = 5,
        cooldown: float = 8,
        probes: int = 2,
    ) -> None:
        self._is_failure = is_failure
        self._results: deque[bool] = deque(maxlen=window)
        self._share = share
        self._minimum = minimum
        self._cooldown = cooldown
        self._probes = probes
        self._probing = 0
        self._opened = 0.0
        self.state = State.CLOSED

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            probe = self._enter()
            try:
                answer = await function(*args, **kwargs)
            except BaseException as e:
                if self._is_failure(e):
                    self._failed(probe)
                elif isinstance(e, Exception):
                    self._succeeded(probe)  # the model has answered, although with a refusal
                raise
            else:
                self._succeeded(probe)
                return answer
            finally:
                if probe:
                    self._probing -= 1

        return guarded

    def _enter(self) -> bool:
        if self.state is State.CLOSED:
            return False
        remaining = self._opened + self._cooldown - time.monotonic()
        if remaining > 0:
            raise CircuitOpen(remaining)
        self.state = State.HALF_OPEN
        if self._probing >= self._probes:
            raise CircuitOpen(1)
        self._probing += 1
        return True

    def _failed(self, probe: bool) -> None:
        if probe:
            self._open()
        elif self.state is State.CLOSED:
            self._results.append(False)
            failures = self._results.count(False)
            if failures >= self._minimum and failures >= self._share * len(self._results):
                self._open()

    def _succeeded(self, probe: bool) -> None:
        if probe and self.state is State.HALF_OPEN:
            logger.info("The circuit is closed")
            self.state = State.CLOSED
            self._results.clear()
        elif self.state is State.CLOSED:
            self._results.append(True)

    def _open(self) -> None:
        logger.warning("The circuit is open for {} s", self._cooldown)
        self.state = State.OPEN
        self._opened = time.monotonic()
        self._results.clear()
