"""Notices when files of a submission are saved in its folder. What a snapshot leaves out does not count."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from grading.errors import GradingError, MachineError
from grading.submission import NOT_SOURCES, list_sources
from grading.workspace import Workspace

QUIET_MS: Final = 200
"""Milliseconds without a save after which a burst of saves is over: an editor or `git checkout` writes several files."""


class Saves:
    """The saves below a folder, but not below any of `left_out`."""

    def __init__(self, folder: Path, left_out: Collection[Path] = ()) -> None:
        self._folder = folder.resolve()
        self._left_out = [path.resolve() for path in left_out]
        self._temporary = Path(tempfile.gettempdir())  # a grading beside this has one of its own
        self._sources: frozenset[str] = frozenset()
        self._saved: list[str] = []
        self._happened = asyncio.Event()
        self._problem: MachineError | None = None

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Notice saves as long as the context is open."""
        self._sources = await self._list()
        async with contextlib.AsyncExitStack() as stack:
            task = asyncio.create_task(self._watch())
            stack.push_async_callback(_end, task)
            await asyncio.sleep(0)  # it watches from here on
            yield

    async def wait(self) -> str:
        """Wait until files were saved since the last `take`; return the name of the first, and how many more there are.

        Raises MachineError where the folder cannot be watched.
        """
        await self._happened.wait()
        if self._problem:
            raise self._problem
        first, *others = self._saved
        return f"{first} and {len(others)} more" if others else first

    def take(self) -> None:
        """Forget what was saved until now."""
        self._saved.clear()
        self._happened.clear()

    async def _watch(self) -> None:
        try:
            async for changes in awatch(self._folder, watch_filter=self._may_count, step=QUIET_MS):
                await self._note({str(Path(path).relative_to(self._folder)) for _, path in changes})
        except OSError as error:
            self._problem = MachineError(
                f"{self._folder} cannot be watched ({error}); grade it with `grading score`."
            )
            self._happened.set()

    async def _note(self, names: set[str]) -> None:
        """Note which of these files are the submission's, and which came or went: of a new folder, nothing else is told."""
        before, self._sources = self._sources, await self._list()
        if sources := sorted(names & (before | self._sources) | (before ^ self._sources)):
            self._saved += [name for name in sources if name not in self._saved]
            self._happened.set()

    def _may_count(self, _change: Change, path: str) -> bool:
        inner = Path(path).relative_to(self._folder)
        return NOT_SOURCES.isdisjoint(inner.parts) and not any(map(Path(path).is_relative_to, self._left_out))

    async def _list(self) -> frozenset[str]:
        """Return the names of the submission's files; the last known ones while they cannot be listed."""
        try:
            with Workspace.open(self._temporary) as workspace:
                names = await list_sources(self._folder, workspace)
                return frozenset(
                    one for one in names if self._may_count(Change.modified, str(self._folder / one))
                )
        except (GradingError, OSError):
            return self._sources


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
