"""How instances of a submission's service are started, each experiment's in a copy of the submission of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from chaos.network import LOOPBACK_ADDRESS
from chaos.ports import free_port
from chaos.process import Process
from chaos.recorder import Recorder
from chaos.service import Service


class Started(NamedTuple):
    """A service that was just started, and where it is going to listen."""

    service: Service
    host: str
    port: int


class Program(Protocol):
    """Starts instances on one copy of a submission.

    `root` is a folder that holds all that the instances may write, `repository` the copy of the submission in it.
    """

    @property
    def root(self) -> Path: ...

    @property
    def repository(self) -> Path: ...

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> Started:
        """Start an instance with these variables in its environment; a value of None takes one away."""


@dataclass(frozen=True, slots=True)
class ProcessProgram:
    """Starts processes of this machine.

    `argv` makes the command for a host and port, `env` what the process gets beside the given variables. `cwd` lies in
    the copy of the submission.
    """

    argv: Callable[[str, int], Sequence[str]]
    env: Callable[[str, int], Mapping[str, str]]
    root: Path
    repository: Path
    cwd: Path

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> Started:
        host, port = LOOPBACK_ADDRESS, free_port(LOOPBACK_ADDRESS)
        given = {**self.env(host, port), **variables}
        process = await Process.start(
            self.argv(host, port),
            cwd=self.cwd,
            env={name: value for name, value in given.items() if value is not None},
            recorder=recorder,
            instance=instance,
        )
        return Started(process, host, port)
