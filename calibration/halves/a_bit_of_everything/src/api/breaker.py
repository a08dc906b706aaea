import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import CircuitOpen, DeadlineExceeded, Outage, ServiceError

log = logging.getLogger("api.breaker")


class Breaker:
    """Opens after `threshold` failed calls in a row; after `cooldown` seconds lets one call through at a time."""

    def __init__(self, threshold: int, cooldown: float) -> None:
        self.threshold, self.cooldown = threshold, cooldown
        self.failures = 0
        self.opened_at: float | None = None
        self.probing = False

    @property
    def state(self) -> str:
        if self.opened_at is None:
            return "closed"
        return "half-open" if self.probing or time.monotonic() >= self.opened_at + self.cooldown else "open"

    @contextmanager
    def call(self) -> Iterator[None]:
        probe = self._enter()
        try:
            yield
        except (Outage, DeadlineExceeded):
            self._failed()
            raise
        except ServiceError:
            self._succeeded()  # an answer, though not the one that was hoped for
            raise
        else:
            self._succeeded()
        finally:
            if probe:
                self.probing = False

    def _enter(self) -> bool:
        if self.opened_at is None:
            return False
        left = self.opened_at + self.cooldown - time.monotonic()
        if left > 0 or self.probing:
            raise CircuitOpen("The model is not available at the moment.", retry_after=max(left, 1.0))
        self.probing = True
        return True

    def _failed(self) -> None:
        self.failures += 1
        if self.probing or self.failures >= self.threshold:
            if self.opened_at is None or self.probing:
                log.error("circuit opened", extra={"failures": self.failures})
            self.opened_at = time.monotonic()

    def _succeeded(self) -> None:
        if self.opened_at is not None and not self.probing:
            return  # a straggler from before the outage
        if self.opened_at is not None:
            log.warning("circuit closed")
        self.failures, self.opened_at = 0, None
