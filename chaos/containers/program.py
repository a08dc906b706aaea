"""Starts instances of a submission's service in containers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.containers.container import Container, Plan
from chaos.containers.engine import Engine
from chaos.recorder import Recorder
from chaos.service import Service

MOUNT: Final = "/srv/exam"
ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - of a container that nothing but the lab can reach
PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class ContainerProgram:
    """A copy of a submission whose instances are containers, with `root` at their MOUNT.

    `argv` and `env` return the command and its variables for a host and port; the image has more variables of its own.
    `cwd` lies in the copy, as the containers see it.
    """

    engine: Engine
    image: str
    argv: Callable[[str, int], Sequence[str]]
    env: Callable[[str, int], Mapping[str, str]]
    root: Path
    repository: Path
    cwd: str
    user: str
    network: str
    labels: Mapping[str, str]

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> tuple[Service, str, int]:
        given = {**self.env(ANY_ADDRESS, PORT), **variables}
        plan = Plan(
            image=self.image,
            argv=self.argv(ANY_ADDRESS, PORT),
            env={name: value for name, value in given.items() if value is not None},
            folder=self.root,
            mount=MOUNT,
            cwd=self.cwd,
            user=self.user,
            network=self.network,
            labels=self.labels,
        )
        container = await Container.start(self.engine, plan, recorder=recorder, instance=instance)
        return container, container.address, PORT
