import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm.errors import ApiError

logger = logging.getLogger(__name__)


class ModelFailure(ApiError):
    """The model failed: this counts."""


class CircuitBreaker:
    """Opens after some failures in a row; after a cool-down it lets one call through at a time."""

    def __init__(self, threshold: int = 5, cool_down: float = 15) -> None:
        self.threshold = threshold
        self.cool_down = cool_down
        self.failures = 0
        self.opened_at: float | None = None
        self.probing = False

    @property
    def state(self) -> str:
        if self.opened_at is None:
            return "closed"
        return "half-open" if self._remaining() <= 0 else "open"

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        probe = self.opened_at is not None
        if probe:
            self._admit()
        try:
            yield
        except ModelFailure:
            self._failed()
            raise
        except ApiError:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            if probe:
                self.probing = False

    def _remaining(self) -> float:
        assert self.opened_at is not None
        return self.opened_at + self.cool_down - time.monotonic()

    def _admit(self) -> None:
        remaining = self._remaining()
        if remaining > 0 or self.probing:
            raise ApiError(503, "The model is not available at the moment", retry_after=str(max(1, math.ceil(remaining))))
        self.probing = True

    def _failed(self) -> None:
        self.failures += 1
        if self.failures >= self.threshold:
            logger.warning("The circuit breaker is open after %d failures", self.failures)
            self.opened_at = time.monotonic()

    def _answered(self) -> None:
        if self.opened_at is not None:
            logger.info("The circuit breaker is closed")
        self.failures = 0
        self.opened_at = None
