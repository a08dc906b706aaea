import asyncio
import time

import pytest

from chaos import stall
from chaos.history import Stall
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium


async def test_a_loop_that_is_held_up_is_recorded() -> None:
    recorder = Recorder()
    watcher = asyncio.create_task(stall.watch(recorder))
    await asyncio.sleep(0.01)

    time.sleep(0.6)  # noqa: ASYNC251 - holding the loop up is the point
    while not recorder.history().of(Stall):
        await asyncio.sleep(0.01)
    watcher.cancel()

    assert recorder.history().of(Stall)[0].seconds >= 0.5


async def test_a_loop_that_is_late_all_the_time_is_recorded_window_by_window() -> None:
    recorder = Recorder()
    watcher = asyncio.create_task(stall.watch(recorder))

    while not (stalls := recorder.history().of(Stall)) and recorder.now() < 10:
        time.sleep(0.12)  # noqa: ASYNC251 - as under a quota: never for long, and again and again
        await asyncio.sleep(0)
    watcher.cancel()

    assert stalls
