"""The one place for retries."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from src.services.errors import TRANSIENT, ProviderError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
logger = logging.getLogger(__name__)

PAUSES = (0.5, 1.0)
"""Seconds before each retry, without jitter."""
LONGEST_RETRY_AFTER = 5.0
"""Seconds. A provider that asks for a longer pause is not asked again: the caller would wait for too long."""


async def retry(call: Callable[[], Awaitable[T]], *, sleep: Sleep = asyncio.sleep) -> T:
    """Await `call()`, and again after a failure that may pass. Raises what the last attempt raised."""
    for number, pause in enumerate(PAUSES, start=1):
        try:
            return await call()
        except TRANSIENT as error:
            if (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
                raise
            seconds = _pause(error, pause)
            fields = {"error": type(error).__name__, "retry": number, "seconds": round(seconds, 2)}
            logger.warning("retrying", extra={"fields": fields})
        await sleep(seconds)
    return await call()


def _pause(error: ProviderError, pause: float) -> float:
    """Return the seconds to wait: at least Retry-After, and jitter on top, which spreads callers out."""
    jitter = random.uniform(0, pause / 2)  # noqa: S311 - no secret depends on it
    return (error.retry_after or 0.0) + pause + jitter
