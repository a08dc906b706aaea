"""Notices when the lab itself does not get the processor, so that checks can leave such moments out."""

import asyncio

from chaos.history import Stall
from chaos.recorder import Recorder

INTERVAL = 0.05
REPORTED = 0.2
"""Seconds: how often the loop is asked to run, and how late it must be to be worth an event."""

WINDOW = 1.0
STARVED = 0.35
"""A window of so many seconds counts as a stall where the loop was late for this share of it.

A quota on the processor never holds the loop up for long, and makes everything several times slower. With it the
share is one half and more; three whole gradings side by side on two processors come to a quarter at most.
"""


async def watch(recorder: Recorder) -> None:
    """Record every stall of this event loop until cancelled."""
    while True:
        begun = recorder.now()
        waits = [0.0]
        while recorder.now() - begun < WINDOW:
            waits.append(await _lateness(recorder))
            if waits[-1] >= REPORTED:
                recorder.record(Stall(seconds=round(waits[-1], 3)))
                break
        else:
            seconds = recorder.now() - begun
            if sum(waits) >= STARVED * seconds:
                recorder.record(Stall(seconds=round(seconds, 3), late=round(max(waits), 3)))


async def _lateness(recorder: Recorder) -> float:
    before = recorder.now()
    await asyncio.sleep(INTERVAL)
    return recorder.now() - before - INTERVAL
