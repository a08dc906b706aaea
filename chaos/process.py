"""A service as a process: started under a warden, watched, signalled, and never left behind."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chaos import warden
from chaos.history import SERVICE, Exited, Launched
from chaos.listeners import count_workers
from chaos.output import Stream
from chaos.recorder import Recorder
from chaos.service import Service, Signal

READ_BYTES = 16 * 1024


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
        read_end, write_end = os.pipe()
        try:
            self._warden = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _BOOT, str(write_end), str(Path(warden.__file__)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=[write_end],
                env=dict(env),
            )  # fmt: skip
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        recorder.record(Launched(instance=instance, command=" ".join(argv), cwd=str(cwd)))
        spec = {
            "argv": [*before, *argv],
            "cwd": str(cwd),
            "env": dict(env),
            "limits": asdict(limits or Limits()),
            "depth": depth,
        }
        self._tell(json.dumps(spec))
        reports = await _reader(read_end)
        assert self._warden.stdout
        assert self._warden.stderr
        self._tasks = [
            asyncio.create_task(self._read_output(self._warden.stdout, "stdout")),
            asyncio.create_task(self._read_output(self._warden.stderr, "stderr")),
        ]
        first = await reports.readline()
        self.pid = json.loads(first)["pid"] if first else 0
        self._tasks.append(asyncio.create_task(self._read_reports(reports)))
        return self

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
        assert self._warden.stdin
        self._warden.stdin.close()
        await self._warden.wait()
        _, late = await asyncio.wait(self._tasks, timeout=2)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tell(self, line: str) -> None:
        assert self._warden.stdin
        if not self._warden.stdin.is_closing():
            self._warden.stdin.write(line.encode() + b"\n")

    async def _read_reports(self, reports: asyncio.StreamReader) -> None:
        while line := await reports.readline():
            message: dict[str, Any] = json.loads(line)
            if "exit" in message and self.running:
                exited = self._exit(message["exit"], message["cause"])
                self.exited.set_result(self._recorder.record(exited))
        if self.running:
            # The warden ends before its program only where it was killed, or told to end it.
            self.exited.set_result(self._recorder.record(self._exit(-9, "killed by the lab")))

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


async def _reader(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(fd, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader
