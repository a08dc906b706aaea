"""Starts instances of a submission's service in boxes."""

import asyncio
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.listeners import count_workers
from chaos.process import Process
from chaos.program import SHELL, Script
from chaos.recorder import Recorder
from chaos.sandbox import enter
from chaos.sandbox.bubblewrap import Box
from chaos.service import Service

ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - of a network that nothing but the lab can reach
DEPTH: Final = 2
"""bubblewrap itself, and the first process of the new namespace, which reaps."""


class BoxedProcess(Process):
    """A program in a box whose network is the services' own."""

    network: Path

    async def count_listeners(self, port: int) -> int:
        """Return how many processes accept connections on a port of the services' network."""
        return await asyncio.to_thread(count_workers, port, net=self.network)


@dataclass(frozen=True, slots=True)
class SandboxProgram:
    """A copy of a submission whose instances run in boxes, on the network that the process `services` holds.

    `argv` and `env` return the command and its variables for a host and port. `python` is the interpreter of the
    submission's environment. `root`, with the copy in it, is a disk that the boxes have at `folder`. `address` is the
    network's, `ports` are its free ones.
    """

    argv: Callable[[str, int], Sequence[str]]
    env: Callable[[str, int], Mapping[str, str]]
    python: Path
    root: Path
    repository: Path
    workdir: Path
    folder: Path
    box: Box
    services: int
    address: str
    ports: Iterator[int]
    package: Path | None = None

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> tuple[Service, str, int]:
        port = next(self.ports)
        given = {**self.env(ANY_ADDRESS, port), **variables}
        process = await BoxedProcess.start(
            self.argv(ANY_ADDRESS, port),
            cwd=Path("/"),
            env={name: value for name, value in given.items() if value is not None},
            recorder=recorder,
            instance=instance,
            before=self._before(self.workdir, network=True),
            depth=DEPTH,
        )
        process.network = Path(f"/proc/{self.services}/net")
        return process, self.address, port

    async def run_python(
        self, words: Sequence[str | Path], variables: Mapping[str, str], *, instance: str, recorder: Recorder
    ) -> Service:
        return await Process.start(
            [str(self.python), *(str(self._seen(one)) if isinstance(one, Path) else one for one in words)],
            cwd=Path("/"),
            env={**self.env(ANY_ADDRESS, 0), **variables},
            recorder=recorder,
            instance=instance,
            before=self._before(self.repository, network=False),
            depth=DEPTH,
        )

    async def run_shell(
        self, script: Script, variables: Mapping[str, str], *, cwd: Path, instance: str, recorder: Recorder
    ) -> Service:
        return await Process.start(
            [SHELL, "-c", script(lambda path: shlex.quote(str(self._seen(path))))],
            cwd=Path("/"),
            env={**self.env(ANY_ADDRESS, 0), **variables},
            recorder=recorder,
            instance=instance,
            before=self._before(cwd, network=False),
            depth=DEPTH,
        )

    def _before(self, workdir: Path, *, network: bool) -> list[str]:
        """Return the words that put a command into its box."""
        joining = [sys.executable, "-I", "-S", enter.__file__, str(self.services)]
        return [*joining, *self.box.words(self._seen(workdir), network=network)]

    def _seen(self, path: Path) -> Path:
        """Return a path in `root` as the boxes see it."""
        return self.folder / path.relative_to(self.root)
