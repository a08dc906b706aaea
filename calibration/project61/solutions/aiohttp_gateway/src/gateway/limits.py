"""Limits by tier: a sliding window in Redis for all instances, and one in memory while Redis is away."""

import asyncio
import math
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from .identity import Caller
from .metrics import Metrics
from .settings import Rate

log = structlog.get_logger("gateway.limits")

WINDOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local free_in = window
if oldest[2] then free_in = tonumber(oldest[2]) + window - now end
if used >= limit then return {0, 0, free_in} end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return {1, limit - used - 1, free_in}
"""


@dataclass(frozen=True)
class Decision:
    allowed: bool
    limit: int
    remaining: int
    wait: float

    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(time.time() + self.wait)),
        }
        if not self.allowed:
            headers["Retry-After"] = str(max(1, math.ceil(self.wait)))
        return headers


class SharedStore:
    """Redis, with a short patience. Once it has failed, only a task in the background tries it again."""

    def __init__(self, url: str | None, metrics: Metrics, patience: float = 0.5) -> None:
        self._patience = patience
        self._metrics = metrics
        self._redis = url and Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            max_connections=200,
        )
        self.degraded = not url
        self._metrics.redis_degraded.set(self.degraded)

    async def call(self, *command: str | bytes | int | float) -> object:
        """The answer, or a RedisError. Whoever asks has another way."""
        if self.degraded or not self._redis:
            raise RedisError("degraded")
        try:
            async with asyncio.timeout(self._patience):
                return await self._redis.execute_command(*command)
        except (RedisError, OSError, TimeoutError) as error:
            self._degrade(error)
            raise RedisError(type(error).__name__) from error

    def _degrade(self, error: Exception) -> None:
        if not self.degraded:
            log.warning("redis is down: limits are counted locally (fallback)", reason=type(error).__name__)
        self.degraded = True
        self._metrics.redis_degraded.set(1)

    async def run(self) -> None:
        while self._redis:
            await asyncio.sleep(0.5)
            if self.degraded:
                try:
                    async with asyncio.timeout(self._patience):
                        await self._redis.execute_command("PING")
                except (RedisError, OSError, TimeoutError):
                    continue
                self.degraded = False
                self._metrics.redis_degraded.set(0)
                log.info("redis is back: limits are shared again")

    async def close(self) -> None:
        if self._redis:
            await self._redis.aclose()


class LocalWindows:
    def __init__(self) -> None:
        self._windows: dict[str, deque[float]] = {}

    def _window(self, name: str, rate: Rate) -> deque[float]:
        window = self._windows.setdefault(name, deque())
        while window and window[0] <= time.monotonic() - rate.seconds:
            window.popleft()
        return window

    def note(self, name: str, rate: Rate) -> None:
        self._window(name, rate).append(time.monotonic())

    def take(self, name: str, rate: Rate) -> Decision:
        window = self._window(name, rate)
        wait = window[0] + rate.seconds - time.monotonic() if window else float(rate.seconds)
        if len(window) >= rate.limit:
            return Decision(False, rate.limit, 0, wait)
        window.append(time.monotonic())
        return Decision(True, rate.limit, rate.limit - len(window), wait)


class RateLimiter:
    def __init__(self, store: SharedStore, rates: Mapping[str, Rate], metrics: Metrics) -> None:
        self._store = store
        self._rates = rates
        self._metrics = metrics
        self._local = LocalWindows()

    async def take(self, caller: Caller) -> Decision:
        rate = self._rates[caller.tier]
        try:
            allowed, remaining, wait = await self._store.call(
                "EVAL", WINDOW, 1, f"gateway:window:{caller.name}", rate.limit, rate.seconds * 1000, uuid.uuid4().hex
            )
        except RedisError:
            self._metrics.fallback.inc()
            decision = self._local.take(caller.name, rate)
        else:
            decision = Decision(bool(allowed), rate.limit, int(remaining), int(wait) / 1000)
            if allowed:
                self._local.note(caller.name, rate)  # so that an outage does not bring a second allowance
        if not decision.allowed:
            self._metrics.limited.labels(caller.tier).inc()
        return decision
