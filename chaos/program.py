"""Starts instances of a submission's service, from a copy of the submission for each experiment."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chaos import offline
from chaos.network import LOOPBACK_ADDRESS
from chaos.ports import free_port
from chaos.process import Process
from chaos.recorder import Recorder
from chaos.service import Service

SHELL = "/bin/sh"

Script = Callable[[Callable[[Path], str]], str]
"""Makes a shell command, given how a path in `Program.root` is written there."""


class Program(Protocol):
    """A copy of a submission, from which instances of its service are started.

    `root` is a folder that holds all that the instances may write, `repository` the copy of the submission in it. `package`
    is the folder of the package.json of a service of Node.js.
    """

    @property
    def root(self) -> Path: ...

    @property
    def repository(self) -> Path: ...

    @property
    def workdir(self) -> Path:
        """The folder in the copy that instances are started in."""

    @property
    def package(self) -> Path | None: ...

    async def run_python(
        self, words: Sequence[str | Path], variables: Mapping[str, str], *, instance: str, recorder: Recorder
    ) -> Service:
        """Run the Python of the submission's environment with these arguments, in the repository and without a network.

        Paths in `words` lie in `root`. `variables` are added to the environment that a service has.
        """

    async def run_shell(
        self, script: Script, variables: Mapping[str, str], *, cwd: Path, instance: str, recorder: Recorder
    ) -> Service:
        """Run a shell command in the folder `cwd` of the copy, without a network; it finds the environment's programs."""

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> tuple[Service, str, int]:
        """Start an instance; returns it with the host and port that it is going to listen on.

        `variables` are added to its environment; a value of None takes one away.
        """


@dataclass(frozen=True, slots=True)
class ProcessProgram:
    """A copy of a submission whose instances are processes of this machine.

    `argv` and `env` return the command and its variables for a host and port. `python` is the interpreter of the
    submission's environment, `workdir` and `package` lie in the copy.
    """

    argv: Callable[[str, int], Sequence[str]]
    env: Callable[[str, int], Mapping[str, str]]
    python: Path
    root: Path
    repository: Path
    workdir: Path
    package: Path | None = None

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> tuple[Service, str, int]:
        host, port = LOOPBACK_ADDRESS, free_port(LOOPBACK_ADDRESS)
        given = {**self.env(host, port), **variables}
        process = await Process.start(
            self.argv(host, port),
            cwd=self.workdir,
            env={name: value for name, value in given.items() if value is not None},
            recorder=recorder,
            instance=instance,
        )
        return process, host, port

    async def run_python(
        self, words: Sequence[str | Path], variables: Mapping[str, str], *, instance: str, recorder: Recorder
    ) -> Service:
        return await Process.start(
            [sys.executable, "-I", "-S", offline.__file__, str(self.python), *map(str, words)],
            cwd=self.repository,
            env={**self.env(LOOPBACK_ADDRESS, 0), **variables},
            recorder=recorder,
            instance=instance,
        )

    async def run_shell(
        self, script: Script, variables: Mapping[str, str], *, cwd: Path, instance: str, recorder: Recorder
    ) -> Service:
        command = script(lambda path: shlex.quote(str(path)))
        return await Process.start(
            [sys.executable, "-I", "-S", offline.__file__, SHELL, "-c", command],
            cwd=cwd,
            env={**self.env(LOOPBACK_ADDRESS, 0), **variables},
            recorder=recorder,
            instance=instance,
        )
