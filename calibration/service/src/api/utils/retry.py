"""Retrying an operation within a deadline, with equal jitter.

Equal jitter, `cap / 2 + U(0, cap / 2)`, spreads callers out as full jitter does, but keeps a least wait: a struggling
upstream always gets a pause, and the gaps always grow.
See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

T = TypeVar("T")

CAPS = (1.0, 2.0, 4.0)


def equal_jitter(cap: float, uniform: Callable[[], float] = random.random) -> float:
    """Seconds to wait, between half of `cap` and `cap`."""
    return cap / 2 + cap / 2 * uniform()


async def retry(
    attempt: Callable[[], Awaitable[T]],
    *,
    wait_at_least: Callable[[Exception], float | None],
    deadline: float = math.inf,
    caps: Sequence[float] = CAPS,
    before_retry: Callable[[Exception, int, float], None] = lambda _error, _retry, _delay: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    uniform: Callable[[], float] = random.random,
) -> T:
    """Await `attempt()`, and again after a failure: at most once for each of `caps`, in seconds.

    `wait_at_least` judges a failure: None if trying again is useless, else the least wait in seconds (a Retry-After,
    or 0). `deadline` is a time on `clock`; a wait that would reach it is not begun. `before_retry` is told the error,
    the number of the retry from 1, and the wait. Raises what the last attempt raised.
    """
    for number, cap in enumerate(caps, start=1):
        try:
            return await attempt()
        except Exception as error:
            least = wait_at_least(error)
            if least is None:
                raise
            delay = max(least, equal_jitter(cap, uniform))
            if clock() + delay >= deadline:
                raise
            before_retry(error, number, delay)
        await sleep(delay)
    return await attempt()


def parse_retry_after(value: str, *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date), or None if it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:  # "-0000" says UTC of unknown origin
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
