"""Runs a program to its end, and never leaves a part of it behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Completed:
    """How a program ended, and the last bytes that it wrote."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def output(self) -> str:
        """Both streams, as text for people."""
        return (self.stdout + self.stderr).decode(errors="replace")


async def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    keep: int = _CHUNK,
) -> Completed:
    """Run `argv` in a session of its own and return how it ended.

    Keeps the last `keep` bytes of each stream. Raises TimeoutError after `timeout` seconds and
    OSError if the program cannot be started. However this returns, the program and every process
    of its group are gone.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdout is None or process.stderr is None:
        raise AssertionError
    streams = [asyncio.ensure_future(_tail(stream, keep)) for stream in (process.stdout, process.stderr)]
    try:
        async with asyncio.timeout(timeout):
            code = await process.wait()
    finally:
        # A child that the program left running would keep its pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = await asyncio.gather(*streams)
        await process.wait()
    return Completed(code, stdout, stderr)


async def _tail(stream: asyncio.StreamReader, keep: int) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk
        if len(kept) > 2 * keep:
            del kept[:-keep]
    return bytes(kept[-keep:])
