"""What tests of limits share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY
from redis.asyncio import Redis

from api.services.limits.counters import Adjustment, Charge, Reservation
from api.services.limits.redis_counters import RedisCounters

AGES = 1_000_000_000
"""Seconds: a window that ends in 2033, and under no test."""
PATIENT = 30.0
"""Seconds for Redis where it works: a busy machine must not make it look slow."""


def charge(key: str = "k", *, limit: int = 3, amount: int = 1, base: int | None = 0) -> Charge:
    return Charge(key, limit, AGES, amount, need=amount, base=base)


def adjustment(reservation: Reservation, amount: int, key: str = "k") -> Adjustment:
    return Adjustment(key, reservation.counts[0].start, AGES, amount)


@asynccontextmanager
async def redis_counters(port: int) -> AsyncIterator[RedisCounters]:
    counters = RedisCounters(f"redis://127.0.0.1:{port}", timeout=PATIENT)
    try:
        yield counters
    finally:
        await counters.close()


@asynccontextmanager
async def redis_client(port: int) -> AsyncIterator[Redis]:
    async with Redis(port=port, decode_responses=True) as client:
        yield client


def sample(name: str, **labels: str) -> float:
    """The value of a metric; 0 if it has none yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so that nobody announces. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)
