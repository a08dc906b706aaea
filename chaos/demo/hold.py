"""Holding a fault in the foreground, and healing it however that ends."""

import asyncio
import time
from collections.abc import Callable

from chaos.demo.held import HeldFault
from chaos.demo.quantities import spoken

POLL_SECONDS = 0.25


async def hold(fault: HeldFault, seconds: float, show: Callable[[float], None]) -> str:
    """Break things for so many seconds, and return a sentence on how that ended.

    `show` is told how many seconds are left, first when things are broken and then again and again. When this returns,
    raises or is cancelled, the fault is healed.
    """
    until = time.time() + seconds
    try:
        await fault.begin(until)
        while (left := until - time.time()) > 0:
            if ended := await fault.over():
                return ended
            show(left)
            await asyncio.sleep(min(POLL_SECONDS, left))
    finally:
        await fault.end()
    return f"Healed, after {spoken(seconds)}: {fault.text}."
