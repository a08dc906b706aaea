"""Starts instances of a submission's service in containers."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.containers.container import Container, Plan
from chaos.containers.engine import Engine
from chaos.program import SHELL, Script
from chaos.recorder import Recorder
from chaos.service import Service

MOUNT: Final = "/srv/exam"
ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - of a container that nothing but the lab can reach
PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class ContainerProgram:
    """A copy of a submission whose instances are containers, with `root` at their MOUNT.

    `argv` and `env` return the command and its variables for a host and port; the image has more variables of its own.
    `workdir` lies in the copy.
    """

    engine: Engine
    image: str
    argv: Callable[[str, int], Sequence[str]]
    env: Callable[[str, int], Mapping[str, str]]
    root: Path
    repository: Path
    workdir: Path
    user: str
    network: str
    labels: Mapping[str, str]
    package: Path | None = None

    async def start(
        self, variables: Mapping[str, str | None], *, instance: str, recorder: Recorder
    ) -> tuple[Service, str, int]:
        given = {**self.env(ANY_ADDRESS, PORT), **variables}
        container = await self._run(
            self.argv(ANY_ADDRESS, PORT),
            {name: value for name, value in given.items() if value is not None},
            self.workdir,
            instance=instance,
            recorder=recorder,
        )
        return container, container.address, PORT

    async def run_python(
        self, words: Sequence[str | Path], variables: Mapping[str, str], *, instance: str, recorder: Recorder
    ) -> Service:
        inside = [self._seen(word) if isinstance(word, Path) else word for word in words]
        given = {**self.env(ANY_ADDRESS, PORT), **variables}
        return await self._run(
            ["python", *inside], given, self.repository, instance=instance, recorder=recorder
        )

    async def run_shell(
        self, script: Script, variables: Mapping[str, str], *, cwd: Path, instance: str, recorder: Recorder
    ) -> Service:
        command = script(lambda path: shlex.quote(str(self._seen(path))))
        given = {**self.env(ANY_ADDRESS, PORT), **variables}
        return await self._run([SHELL, "-c", command], given, cwd, instance=instance, recorder=recorder)

    async def _run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        *,
        instance: str,
        recorder: Recorder,
    ) -> Container:
        plan = Plan(
            image=self.image,
            argv=argv,
            env=env,
            folder=self.root,
            mount=MOUNT,
            cwd=self._seen(folder),
            user=self.user,
            network=self.network,
            labels=self.labels,
        )
        return await Container.start(self.engine, plan, recorder=recorder, instance=instance)

    def _seen(self, path: Path) -> str:
        """Return a path in `root` as the containers see it."""
        return str(Path(MOUNT) / path.relative_to(self.root))
