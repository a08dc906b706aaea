"""The container that a submission's files describe, read so that the service can start without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from grading.start.requirements import Requirements
from grading.submission import Submission, inside

Source = Literal["tool.grading", "compose", "dockerfile", "package.json", "default"]
"""Which of a submission's files says how the service starts."""

Command = str | list[str]
"""A command in shell form or in exec form."""

ROOT = PurePosixPath("/")


@dataclass(frozen=True)
class Build:
    """An image that the submission's own files describe: a Dockerfile, its context and a stage, if not the last."""

    dockerfile: Path
    context: Path
    target: str | None = None


@dataclass
class Container:
    """What runs in a container, and where the repository's files are in it.

    `origin` names the file behind it in error messages. `files` pairs paths of the container with the files or folders
    of the repository that are there; without any, the root of the container is the repository. `volumes` are folders for
    what the service itself writes. `runs` holds the commands of the image's build with the folder each runs in.
    `requirements` is set if the submission names them.
    """

    submission: Submission
    source: Source
    origin: str
    files: list[tuple[PurePosixPath, Path]] = field(default_factory=list)
    volumes: list[PurePosixPath] = field(default_factory=list)
    workdir: PurePosixPath = ROOT
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: Command | None = None
    command: Command | None = None
    runs: list[tuple[PurePosixPath, str]] = field(default_factory=list)
    python: str | None = None
    requirements: Requirements | None = None
    build: Build | None = None

    @property
    def is_real(self) -> bool:
        """Whether its paths are those of a container, and not the repository's own."""
        return self.source in {"compose", "dockerfile"}

    @property
    def start_command(self) -> Command | None:
        """The entry point with the command as its arguments; an entry point in shell form takes none."""
        if not self.entrypoint or isinstance(self.entrypoint, str):
            return self.entrypoint or self.command
        if isinstance(self.command, str):
            return [*self.entrypoint, "sh", "-c", self.command]
        return [*self.entrypoint, *(self.command or [])]

    def locate(self, path: PurePosixPath) -> list[Path]:
        """Return the files or folders of the repository that `path` may be, the likeliest first.

        A folder that was never copied as such, like the `/app` of `COPY src ./src`, is recognised by what was copied
        into it under its own name.
        """
        found = [place for place in self._rebase(path) if self.submission.has(place)]
        for target, source in reversed(self.files):
            tail = target.relative_to(path).parts if target.is_relative_to(path) else ()
            if tail and source.parts[-len(tail) :] == tail:
                found.append(Path(*source.parts[: -len(tail)]))
        return list(dict.fromkeys(found))

    def locate_file(self, path: PurePosixPath) -> Path | None:
        """Return the file of the repository that `path` is."""
        return next((place for place in self.locate(path) if (self.submission.root / place).is_file()), None)

    def rebase(self, path: PurePosixPath) -> Path | None:
        """Return where `path` would be in the repository, even if there is nothing; None outside of what was copied."""
        return next(iter([*self._rebase(path), *self.locate(path)]), None)

    def _rebase(self, path: PurePosixPath) -> list[Path]:
        latest_first: Sequence[tuple[PurePosixPath, Path]] = self.files[::-1] or [(ROOT, Path())]
        places = []
        for target, source in sorted(latest_first, key=lambda entry: -len(entry[0].parts)):
            if path == target or (path.is_relative_to(target) and (self.submission.root / source).is_dir()):
                place = inside(source / path.relative_to(target))
                places += [] if place is None else [place]
        return places
