"""Draining: from the signal to stop, no new work; what is in flight has a bounded time to finish."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("api.shutdown")


class Drain:
    """Whether the service is stopping, and the requests that it still owes an answer."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.draining = False
        self._in_flight: set[asyncio.Timeout] = set()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def begin(self) -> None:
        """Refuse new requests from now on, and cut those in flight after `timeout` seconds."""
        self.draining = True
        cut = asyncio.get_running_loop().time() + self.timeout
        for limit in self._in_flight:
            limit.reschedule(cut)
        log.info("shutdown: draining", in_flight=self.in_flight, timeout=self.timeout)

    @contextmanager
    def track(self, limit: asyncio.Timeout) -> Iterator[None]:
        self._in_flight.add(limit)
        try:
            yield
        finally:
            self._in_flight.discard(limit)
            if self.draining:
                log.info("shutdown: request finished", in_flight=self.in_flight)
