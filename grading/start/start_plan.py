"""How to start one instance of a submission's service."""

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grading.errors import SubmissionError
from grading.start.container import Build, Source
from grading.start.requirements import Requirements
from grading.start.servers import SERVERS


@dataclass(frozen=True)
class StartPlan:
    """How to start one instance of a submission's service, in a copy of its files.

    `command` and `env` are templates with `{root}`, `{host}` and `{port}`; `cwd` is relative to the root of the copy.
    `shell` names the shell that the command needs, if any: to run `before` first, and to read the words of the command
    themselves if they are `raw`. `script` is the file that this text is from, if any, as seen from `cwd`. `build` is the image
    that the command is meant for, if the submission has one.
    """

    command: tuple[str, ...]
    cwd: Path
    requirements: Requirements
    source: Source
    env: Mapping[str, str] = field(default_factory=dict)
    shell: str = ""
    before: str = ""
    raw: bool = False
    script: str = ""
    build: Build | None = None

    def argv(self, host: str, port: int, env_bin: Path) -> list[str]:
        """Return the command that serves at `host` and `port`, with the programs of the environment's folder `env_bin`.

        Raises SubmissionError if the environment has no such program.
        """
        program = self._program(env_bin)
        path = f'PATH={shlex.quote(str(env_bin))}:"$PATH"; export PATH; '
        shell = shutil.which(self.shell) or "/bin/sh"
        return self._words(program, host, port, shell=shell, prefix=path)

    def argv_in_image(self, host: str, port: int) -> list[str]:
        """Return the same command for a container, which finds its programs by their names."""
        program = self.command[0].strip("\"'")
        return self._words(program, host, port, shell=self.shell)

    def environment(self, root: Path, host: str, port: int) -> dict[str, str]:
        """Return the variables that go with the command, for a copy of the submission at `root`."""
        own = {name: value.replace("{root}", str(root)) for name, value in self.env.items()}
        return own | {"HOST": host, "PORT": str(port)}

    def _program(self, env_bin: Path) -> str:
        name = self.command[0].strip("\"'")
        if name.startswith("python") and "/" not in name:
            return str(env_bin / "python")
        if "/" not in name and (env_bin / name).is_file():
            return str(env_bin / name)
        missing = "it" if name in SERVERS else "what installs it"
        raise SubmissionError(
            f"{name} is not among what {self.requirements.described} installs; add {missing} there, or name another"
            " command in pyproject.toml under [tool.grading]."
        )

    def _words(self, program: str, host: str, port: int, *, shell: str, prefix: str = "") -> list[str]:
        rest = [word.replace("{host}", host).replace("{port}", str(port)) for word in self.command[1:]]
        if not self.shell:
            return [program, *rest]
        if not self.raw:
            rest = [shlex.quote(word) for word in rest]
        text = f"{prefix}{self.before}exec {' '.join([shlex.quote(program), *rest])}"
        return [shell, "-c", text, *filter(None, [self.script])]
