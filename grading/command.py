"""Runs a program to its end, and never leaves a part of it behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
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
    async with contextlib.AsyncExitStack() as stack:
        # Pipes of our own: asyncio's wait() would go on until whoever has inherited them is gone.
        stdout, stderr = [await stack.enter_async_context(_collected(keep)) for _ in range(2)]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=cwd,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout.end,
                stderr=stderr.end,
                start_new_session=True,
            )
        finally:
            os.close(stdout.end)
            os.close(stderr.end)
        try:
            async with asyncio.timeout(timeout):
                code = await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return Completed(code, await stdout.read(), await stderr.read())


@dataclass
class _Output:
    """The end of what is written to the file descriptor `end`."""

    end: int
    tail: asyncio.Task[bytes]
    transport: asyncio.ReadTransport

    async def read(self) -> bytes:
        """All of it; what a process outside of the group still writes after a second is not waited for."""
        await asyncio.wait([self.tail], timeout=1)
        self.transport.close()
        return await self.tail


@contextlib.asynccontextmanager
async def _collected(keep: int) -> AsyncIterator[_Output]:
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
    )
    output = _Output(write_end, asyncio.create_task(_tail(reader, keep)), transport)
    try:
        yield output
    finally:
        transport.close()
        await output.tail


async def _tail(stream: asyncio.StreamReader, keep: int) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk
        if len(kept) > 2 * keep:
            del kept[:-keep]
    return bytes(kept[-keep:])
