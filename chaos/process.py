"""A service as a process: started under a warden, watched, signalled, and never left behind."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chaos import warden
from chaos.history import SERVICE, Cleared, Exited, Launched
from chaos.listeners import count_workers
from chaos.output import Stream
from chaos.recorder import Recorder
from chaos.service import Service, Signal

READ_BYTES = 16 * 1024
LOST = "died with its warden, which somebody has killed"
START_SECONDS = 60.0
"""For a warden to start: an interpreter, on a machine that may be busy with many others."""
CLOSE_SECONDS = 10.0
"""For a warden to end what is left; it gives up after 5 s itself."""
OUTPUT_SECONDS = 2.0
"""For the rest of the output, once everything that could write has been killed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program and its descendants may use together, and how large a file they may write (bytes)."""

    processes: int = 256
    memory: int = 4 * 2**30
    file_size: int = 2**30


class Process(Service):
    """A running program whose start, output, signals and end are recorded.

    Made by `start`; as an async context manager it kills all that is left at the end.
    """

    def __init__(self, recorder: Recorder, instance: str, *, endless: bool = False) -> None:
        super().__init__(recorder, instance, endless=endless)
        self.pid = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._pipes: list[asyncio.ReadTransport] = []
        self._reports: asyncio.StreamReader
        self._warden: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        recorder: Recorder,
        limits: Limits | None = None,
        instance: str = SERVICE,
        endless: bool = False,
        before: Sequence[str] = (),
        depth: int = 0,
    ) -> Self:
        """Start `argv` in `cwd` with exactly the environment `env`; its events are recorded as `instance`'s.

        `before` are words that put it into a box, `depth` the processes of that box around it (see `warden`).

        A program that prints too much is killed, unless it is meant to run `endless`ly and its recorder keeps nothing.
        A program that cannot be executed is not an error here: it exits with 127 and says why on stderr.
        """
        self = cls(recorder, instance, endless=endless)
        spec = {
            "argv": [*before, *argv],
            "cwd": str(cwd),
            "env": dict(env),
            "limits": asdict(limits or Limits()),
            "depth": depth,
        }
        try:
            await self._start_warden(env)
            recorder.record(Launched(instance=instance, command=" ".join(argv), cwd=str(cwd)))
            self._tell(json.dumps(spec))
            async with asyncio.timeout(START_SECONDS):
                first = await self._reports.readline()
        except BaseException as error:
            await self._abandon()
            if isinstance(error, TimeoutError):
                raise OSError(
                    f"the warden of {argv[0]} did not start within {START_SECONDS:.0f} s"
                ) from error
            raise
        self.pid = json.loads(first)["pid"] if first else 0
        self._tasks.append(asyncio.create_task(self._read_reports()))
        return self

    async def _start_warden(self, env: Mapping[str, str]) -> None:
        # Pipes of our own: asyncio's wait() would go on until whoever has inherited its pipes is gone.
        async with contextlib.AsyncExitStack() as ends:
            streams = [await self._pipe(ends) for _ in range(3)]
            (stdout, out), (stderr, err), (self._reports, reports) = streams
            self._warden = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _BOOT, str(reports), str(Path(warden.__file__)),
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=[reports],
                env=dict(env),
            )  # fmt: skip
        self._tasks = [
            asyncio.create_task(self._read_output(stdout, "stdout")),
            asyncio.create_task(self._read_output(stderr, "stderr")),
        ]

    async def _pipe(self, ends: contextlib.AsyncExitStack) -> tuple[asyncio.StreamReader, int]:
        """Make a pipe; returns its reader, and the descriptor to write to, which is closed with `ends`."""
        read_end, write_end = os.pipe()
        ends.callback(os.close, write_end)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
        )
        self._pipes.append(transport)
        return reader, write_end

    def signal(self, name: Signal) -> None:
        """Send a signal to the program itself (not to what it started), if it still runs."""
        self._record_signal(name)
        self._tell(name)

    async def count_listeners(self, port: int) -> int:
        """Return how many processes accept connections on a port of this machine; 1 where that cannot be seen."""
        return await asyncio.to_thread(count_workers, port)

    async def close(self) -> None:
        """Kill what is left of the program and its descendants, and read the rest of their output."""
        if self.running:
            self._record_signal("KILL")
        self._closing = True
        assert self._warden.stdin
        self._warden.stdin.close()
        try:
            await asyncio.wait_for(self._warden.wait(), CLOSE_SECONDS)
        except TimeoutError:  # somebody has stopped it
            await self._kill_warden()
        await self._finish()

    async def _abandon(self) -> None:
        """End a warden whose program never started, as far as there is one."""
        if hasattr(self, "_warden"):
            await self._kill_warden()
        await self._finish()

    async def _kill_warden(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._warden.kill()
        await self._warden.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid or self._warden.pid, signal.SIGKILL)

    async def _finish(self) -> None:
        """Read the rest of the output and of the reports."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=OUTPUT_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for pipe in self._pipes:
            pipe.close()
        await asyncio.sleep(0)  # they close in the loop's next turn

    def _tell(self, line: str) -> None:
        assert self._warden.stdin
        if not self._warden.stdin.is_closing():
            self._warden.stdin.write(line.encode() + b"\n")

    async def _read_reports(self) -> None:
        cleared: Cleared | None = None
        while line := await self._reports.readline():
            message: dict[str, Any] = json.loads(line)
            if "exit" in message and self.running:
                exited = self._exit(message["exit"], message["cause"])
                self.exited.set_result(self._recorder.record(exited))
            if "left" in message:
                cleared = Cleared(instance=self._instance, processors=os.cpu_count() or 1, **message)
        if self.running:
            # The warden ends before its program only where it was killed, or told to end it.
            why = "killed by the lab" if self._closing else LOST
            self.exited.set_result(self._recorder.record(self._exit(-9, why)))
        if cleared:
            self._recorder.record(cleared)

    def _exit(self, code: int, cause: str | None) -> Exited:
        return Exited(instance=self._instance, code=code, cause=self._cause or cause)

    async def _read_output(self, reader: asyncio.StreamReader, stream: Stream) -> None:
        while data := await reader.read(READ_BYTES):
            self._output.feed(stream, data)
        self._output.end(stream)


# The warden reports on descriptor 3, where the pipe's end has to be put first; it then closes at exec.
_BOOT = """
import os, runpy, sys
end = int(sys.argv[1])
if end != 3:
    os.dup2(end, 3)
    os.close(end)
os.set_inheritable(3, False)
runpy.run_path(sys.argv[2], run_name="__main__")
"""
