"""Runs a program to its end, and never leaves a part of it behind."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


class TooMuchOutputError(Exception):
    """A program was ended because it printed more than it may."""


async def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    most: int | None = None,
    memory: int | None = None,
) -> Completed:
    """Run `argv` in a session of its own and return how it ended.

    Keeps the last 64 KB of each stream, or all of it up to `most` bytes. `memory` bounds the address space (bytes, on
    Linux). Raises TimeoutError after `timeout` seconds, TooMuchOutputError for more than `most`, and OSError if the
    program cannot be started. However this returns, the program and every process of its group are gone.
    """
    async with contextlib.AsyncExitStack() as stack:
        # Pipes of our own: asyncio's wait() would go on until whoever has inherited them is gone.
        stdout, stderr = [await stack.enter_async_context(_collected(most)) for _ in range(2)]
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
            if memory is not None:
                _bound(process.pid, memory)
            async with asyncio.timeout(timeout):
                code = await _ended(process, stdout.tail, stderr.tail)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return Completed(code, await stdout.read(), await stderr.read())


def _bound(pid: int, memory: int) -> None:
    """Bound the address space of a process. Only Linux can do that to another one."""
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, (memory, memory))


async def _ended(process: asyncio.subprocess.Process, *tails: asyncio.Task[bytes]) -> int:
    """Return the exit code of a process. Raises TooMuchOutputError as soon as it has printed too much."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        pending: set[asyncio.Future[Any]] = {waiting, *tails}
        while not waiting.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        return waiting.result()
    finally:
        waiting.cancel()


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
async def _collected(most: int | None) -> AsyncIterator[_Output]:
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
    )
    output = _Output(write_end, asyncio.create_task(_tail(reader, most)), transport)
    try:
        yield output
    finally:
        transport.close()
        with contextlib.suppress(TooMuchOutputError):
            await output.tail


async def _tail(stream: asyncio.StreamReader, most: int | None) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk
        if most is not None and len(kept) > most:
            raise TooMuchOutputError
        if most is None and len(kept) > 2 * _CHUNK:
            del kept[:-_CHUNK]
    return bytes(kept if most is not None else kept[-_CHUNK:])
