import asyncio
import enum
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.failures import Failure

T = TypeVar("T")
log = logging.getLogger("api.resilience")
RETRIES = 3


async def with_retries(attempt: Callable[[], Awaitable[T]], *, until: float) -> T:
    """Full jitter: a pause is anything from nothing to 1, 2, then 4 seconds. `until` is the loop's time."""
    loop = asyncio.get_running_loop()
    for number in range(RETRIES + 1):
        try:
            return await attempt()
        except Failure as failure:
            pause = random.uniform(0, 2.0**number)
            if failure.retry_after is not None:
                pause = max(pause, failure.retry_after)
            if not failure.retry or number == RETRIES or loop.time() + pause >= until:
                raise
            log.warning("retrying after %s", failure.error, extra={"attempt": number + 1, "wait_s": round(pause, 2)})
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")


class State(enum.StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    def __init__(self, *, limit: int = 5, rest: float = 12.0, probes: int = 2) -> None:
        self.limit, self.rest, self.probes = limit, rest, probes
        self.state = State.CLOSED
        self._failed = 0
        self._until = 0.0
        self._under_way = 0

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        now = time.monotonic()
        if self.state is State.OPEN and now >= self._until:
            self._become(State.HALF_OPEN)
            self._under_way = 0
        if self.state is State.OPEN:
            raise self._rejection(self._until - now)
        probing = self.state is State.HALF_OPEN
        if probing:
            if self._under_way >= self.probes:
                raise self._rejection(1.0)
            self._under_way += 1
        try:
            result = await call()
        except Failure as failure:
            self._settle(ok=not failure.ill, probing=probing)
            raise
        else:
            self._settle(ok=True, probing=probing)
            return result
        finally:
            if probing and self._under_way:
                self._under_way -= 1

    def _settle(self, *, ok: bool, probing: bool) -> None:
        if self.state is State.OPEN or (self.state is State.HALF_OPEN and not probing):
            return
        if ok:
            self._failed = 0
            self._become(State.CLOSED)
            return
        self._failed += 1
        if probing or self._failed >= self.limit:
            self._until = time.monotonic() + self.rest
            self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self.state:
            log.warning("circuit breaker: %s -> %s", self.state, state, extra={"breaker": state})
            self.state = state

    def _rejection(self, seconds: float) -> Failure:
        return Failure(503, "circuit_open", "The model is resting. Please come back later.", retry_after=max(1.0, seconds))
