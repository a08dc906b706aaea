"""Counters in Redis while it answers in time, and in this process while it does not.

    reserve ──> breaker ──> Redis ──> answer, copied into memory
                   │           └─ (down, or too slow) ─┐
                   └─ (open) ──────────────────────────┴──> memory, owed to Redis

Memory goes on from the counts that Redis gave last. What it counts is added to Redis when that answers again.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from api.services.circuit_breaker import BreakerOpenError, CircuitBreaker, State
from api.services.limits.counters import Adjustment, Charge, MemoryCounters, Reservation, Status
from api.services.limits.redis_counters import RedisCounters
from api.services.metrics import LIMITS_LOCAL, LIMITS_SHARED

log = structlog.get_logger("api.limits")

FAILURES = 3
"""Failures in a row after which Redis is not asked any more."""
REST_SECONDS = 1.0
"""How long Redis is left alone before one request tries it again."""


class SharedCounters:
    """Never raises for a fault of Redis."""

    def __init__(self, redis: RedisCounters, memory: MemoryCounters) -> None:
        self._redis = redis
        self._memory = memory
        self._breaker = CircuitBreaker(
            is_failure=lambda _error: True, threshold=FAILURES, cooldown=REST_SECONDS, on_change=_log_change
        )
        LIMITS_SHARED.set(1)

    async def reserve(self, charges: Sequence[Charge], deadline: float) -> Reservation:
        """Count all charges, or none. Redis has until `deadline`, on the event loop's clock, to answer."""

        async def ask() -> Reservation:
            async with asyncio.timeout_at(deadline):
                return await self._redis.reserve(charges)

        try:
            reservation = await self._breaker.call(ask)
        except BreakerOpenError:
            return self._reserve_locally(charges, "resting")
        except TimeoutError:
            return self._reserve_locally(charges, "slow")
        except Exception:  # noqa: BLE001  whatever it is, no caller may suffer for it
            return self._reserve_locally(charges, "failed")
        if reservation.counts:
            self._memory.copy(charges, reservation.counts)
        return reservation

    def adjust(self, adjustments: Sequence[Adjustment]) -> None:
        """Correct counts, in the background."""
        self._memory.adjust(adjustments)
        self._redis.adjust(adjustments)

    async def close(self) -> None:
        await self._redis.close()

    def _reserve_locally(self, charges: Sequence[Charge], reason: str) -> Reservation:
        LIMITS_LOCAL.labels(reason).inc()
        reservation = self._memory.reserve(charges)
        if reservation.status is Status.ADMITTED:
            self._redis.adjust(_owed(charges, reservation))
        return reservation


def _owed(charges: Sequence[Charge], reservation: Reservation) -> Iterable[Adjustment]:
    for charge, count in zip(charges, reservation.counts, strict=True):
        yield Adjustment(charge.key, count.start, charge.seconds, charge.amount)


def _log_change(old: State, new: State) -> None:
    """Log that Redis went or came back; not that a try in between failed."""
    LIMITS_SHARED.set(new is State.CLOSED)
    if old is State.CLOSED:
        log.warning("Redis does not answer in time: limits are kept in this process")
    elif new is State.CLOSED:
        log.info("Redis answers again: limits are shared")
