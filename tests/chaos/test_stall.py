import asyncio
import time

from chaos import stall
from chaos.history import Stall
from chaos.recorder import Recorder


async def test_a_loop_that_is_held_up_is_recorded() -> None:
    recorder = Recorder()
    watcher = asyncio.create_task(stall.watch(recorder))
    await asyncio.sleep(0.01)

    time.sleep(0.6)  # noqa: ASYNC251 - holding the loop up is the point
    while not recorder.history().of(Stall):
        await asyncio.sleep(0.01)
    watcher.cancel()

    assert recorder.history().of(Stall)[0].seconds >= 0.5
