"""Notices when the lab itself does not get the processor, so that checks can leave such moments out."""

import asyncio

from chaos.history import Stall
from chaos.recorder import Recorder

INTERVAL = 0.05
REPORTED = 0.2
"""Seconds: how often the loop is asked to run, and how late it must be to be worth an event."""


async def watch(recorder: Recorder) -> None:
    """Record every stall of this event loop until cancelled."""
    while True:
        before = recorder.now()
        await asyncio.sleep(INTERVAL)
        late = recorder.now() - before - INTERVAL
        if late >= REPORTED:
            recorder.record(Stall(seconds=round(late, 3)))
