"""How many services start at once, for that is when they need the processors: in one run, and on the whole machine."""

import asyncio
import os
import time
from pathlib import Path
from typing import Final, Self

from grading.workspace import cache_folder, make_private, try_lock

AT_ONCE: Final = max(2, os.cpu_count() or 1)
PATIENCE_SECONDS: Final = 10.0
"""How long a start waits for those of other runs: longer than a start that works, not as long as one that hangs."""
_POLL_SECONDS: Final = 0.05


class Starts:
    """To be entered for each start, as a semaphore is. Runs side by side share the places in `folder`.

    A place is a lock on a file, which the end of whoever holds it frees.
    """

    def __init__(self, folder: Path | None = None, *, at_once: int = AT_ONCE) -> None:
        self._folder = folder or cache_folder() / "starts"
        self._at_once = at_once
        self._in_this_run = asyncio.Semaphore(at_once)
        self._held: list[int | None] = []

    async def __aenter__(self) -> Self:
        await self._in_this_run.acquire()
        try:
            self._held.append(await self._place())
        except BaseException:
            self._in_this_run.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        place = self._held.pop()  # whichever: they are alike
        if place is not None:
            os.close(place)
        self._in_this_run.release()

    async def _place(self) -> int | None:
        """Wait for a place; None where there can be none, or others have kept all of them for too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            make_private(self._folder)
            while (place := self._free_place()) is None and time.monotonic() < deadline:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(_POLL_SECONDS)
        except OSError:
            return None
        return place

    def _free_place(self) -> int | None:
        taken = (try_lock(self._folder / str(number)) for number in range(self._at_once))
        return next((place for place in taken if place is not None), None)
