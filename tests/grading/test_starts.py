"""Starts of two runs side by side, each of which has its own bound and shares the machine's."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from grading import starts
from grading.starts import Starts

pytestmark = pytest.mark.medium

HOLD = """
import asyncio, sys
from pathlib import Path
from grading.starts import Starts

async def hold():
    async with Starts(Path(sys.argv[1]), at_once=1):
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@contextlib.asynccontextmanager
async def entering(bound: Starts) -> AsyncIterator[asyncio.Event]:
    """Have a task enter `bound`, and give what it sets when it is in."""
    entered = asyncio.Event()

    async def enter() -> None:
        async with bound:
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(enter())
    yield entered
    task.cancel()
    await asyncio.wait({task})


async def is_kept_out(entered: asyncio.Event) -> bool:
    """Whether that does not happen, though a place is looked for several times."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(entered.wait(), 0.3)
    return not entered.is_set()


async def test_a_run_has_no_more_starts_at_once_than_places(tmp_path: Path) -> None:
    bound = Starts(tmp_path / "starts", at_once=2)

    async with entering(bound) as third:
        await third.wait()
        async with bound, entering(bound) as late:
            assert await is_kept_out(late)


async def test_another_run_waits_for_a_place(tmp_path: Path) -> None:
    first, other = (Starts(tmp_path / "starts", at_once=1) for _ in range(2))

    async with first:
        waiting = entering(other)
        entered = await waiting.__aenter__()
        assert await is_kept_out(entered)
    await asyncio.wait_for(entered.wait(), 5)
    await waiting.__aexit__(None, None, None)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the only place in `tmp_path`."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


async def test_the_place_of_a_killed_run_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    async with entering(Starts(tmp_path, at_once=1)) as entered:
        assert await is_kept_out(entered)

        holder.kill()

        await asyncio.wait_for(entered.wait(), 5)


async def test_a_run_that_keeps_its_places_for_too_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "PATIENCE_SECONDS", 0.1)

    async with Starts(tmp_path, at_once=1), Starts(tmp_path, at_once=1):
        pass


async def test_without_a_folder_a_run_has_its_own_bound(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bound = Starts(tmp_path / "file" / "starts", at_once=1)

    async with bound, entering(bound) as entered:
        assert await is_kept_out(entered)
