import time

import logs
from problems import Problem

log = logs.get("breaker")


class Breaker:
    """Closed, open, or half-open with a single probe. A slot is always given back, see `release`."""

    def __init__(self, failures, cool_down):
        self.max_failures = failures
        self.cool_down = cool_down
        self.failures = 0
        self.reopen_at = None
        self.probe_out = False

    def acquire(self):
        if self.reopen_at is None:
            return "call"
        wait = self.reopen_at - time.monotonic()
        if wait > 0 or self.probe_out:
            raise Problem(503, "The model is unavailable.", code="circuit_open", retry_after=max(wait, 1))
        self.probe_out = True
        return "probe"

    def success(self, slot):
        if slot == "probe" or self.reopen_at is None:
            if slot == "probe":
                log.warning("circuit breaker closed")
            self.failures = 0
            self.reopen_at = None

    def failure(self, slot):
        self.failures += 1
        if slot == "probe" or (self.reopen_at is None and self.failures >= self.max_failures):
            log.error("circuit breaker opened", failures=self.failures, seconds=self.cool_down)
            self.reopen_at = time.monotonic() + self.cool_down

    def release(self, slot):
        if slot == "probe":
            self.probe_out = False

    def state(self):
        if self.reopen_at is None:
            return "closed"
        return "half_open" if time.monotonic() >= self.reopen_at else "open"
