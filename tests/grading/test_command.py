import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from grading.command import TooMuchOutputError, run

ENV = {"PATH": os.environ["PATH"]}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> bool:
    for _ in range(500):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_tells_how_a_program_ended(tmp_path: Path) -> None:
    done = await run(["sh", "-c", "echo out; echo err >&2; exit 3"], cwd=tmp_path, env=ENV, timeout=10)
    assert (done.code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


async def test_the_environment_is_exactly_what_is_given(tmp_path: Path) -> None:
    done = await run(
        [sys.executable, "-c", "import os; print(*sorted(os.environ))"],
        cwd=tmp_path,
        env={"A": "1"},
        timeout=20,
    )
    assert set(done.output.split()) <= {"A", "LC_CTYPE"}


async def test_keeps_the_end_of_much_output(tmp_path: Path) -> None:
    done = await run(["sh", "-c", "yes | head -c 1000000; echo end"], cwd=tmp_path, env=ENV, timeout=20)
    assert len(done.stdout) == 1 << 16
    assert done.stdout.endswith(b"end\n")


async def test_more_output_than_it_may_print_ends_a_program(tmp_path: Path) -> None:
    with pytest.raises(TooMuchOutputError):
        await run(["sh", "-c", "echo $$ > child; yes"], cwd=tmp_path, env=ENV, timeout=60, most=100_000)
    assert await gone(int((tmp_path / "child").read_text()))


async def test_all_output_is_kept_where_that_is_bounded(tmp_path: Path) -> None:
    done = await run(
        ["head", "-c", "1000000", "/dev/zero"], cwd=tmp_path, env=ENV, timeout=20, most=1_000_000
    )
    assert len(done.stdout) == 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds another process")
async def test_memory_is_bounded(tmp_path: Path) -> None:
    words = ["sh", "-c", f"sleep 0.2; exec {sys.executable} -c 'bytearray(1 << 30)'"]
    done = await run(words, cwd=tmp_path, env=ENV, timeout=20, memory=1 << 28)
    assert "MemoryError" in done.output


async def test_a_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! > child; wait"
    with pytest.raises(TimeoutError):
        await run(["sh", "-c", script], cwd=tmp_path, env=ENV, timeout=0.5)
    assert await gone(int((tmp_path / "child").read_text()))


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    task = asyncio.create_task(
        run(
            ["sh", "-c", "sleep 300 & echo $! > draft; mv draft child; wait"],
            cwd=tmp_path,
            env=ENV,
            timeout=300,
        )
    )
    while not (tmp_path / "child").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int((tmp_path / "child").read_text()))


async def test_does_not_wait_for_what_a_program_leaves_behind(tmp_path: Path) -> None:
    began = time.monotonic()
    done = await run(["sh", "-c", "sleep 300 & echo $!"], cwd=tmp_path, env=ENV, timeout=100)
    assert time.monotonic() - began < 60
    assert await gone(int(done.stdout))
