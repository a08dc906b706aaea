import logging
import threading
import time

from api.errors import ApiError

log = logging.getLogger("api.breaker")


class Breaker:
    """Safe for threads. Opens after five failed calls in a row, lets two threads probe after ten seconds."""

    def __init__(self, failures=5, seconds=10, probes=2):
        self._lock = threading.Lock()
        self._max = failures
        self._seconds = seconds
        self._probes = probes
        self._failures = 0
        self._opened = None
        self._probing = 0

    def __call__(self, function, *args):
        probe = self._before()
        outcome = None
        try:
            result = function(*args)
            outcome = True
            return result
        except ApiError as error:
            outcome = not error.sick
            raise
        finally:
            self._after(probe, outcome)

    def _before(self):
        with self._lock:
            if self._opened is None:
                return False
            left = self._opened + self._seconds - time.monotonic()
            if left > 0 or self._probing >= self._probes:
                raise ApiError(503, "circuit_breaker_open", "The model is out of order.", retry_after=max(left, 0))
            self._probing += 1
            return True

    def _after(self, probe, ok):
        with self._lock:
            if probe:
                self._probing -= 1
            if ok is None or (self._opened is not None and not probe):
                return
            if ok:
                if self._opened is not None:
                    log.warning("breaker closed")
                self._opened = None
                self._failures = 0
                return
            self._failures += 1
            if probe or self._failures >= self._max:
                log.error("breaker open")
                self._opened = time.monotonic()

    def is_closed(self):
        return self._opened is None
