"""Reads a Dockerfile for what a start without a container needs: the command, and where things stand."""

import json
import posixpath
import re
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grading.errors import SubmissionError
from grading.start import installs, shell
from grading.start.installs import Install
from grading.start.layout import Layout
from grading.submission import Submission, inside

Command = str | list[str]
"""A command in shell form or in exec form."""

_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_FLAG = re.compile(r"--([\w-]+)(?:=(\S+))?\s+")
_PYTHON_TAG = re.compile(r"python:?(3\.\d+)")


@dataclass
class Stage:
    """One stage of a build, with all that it has from the stages that it stands on."""

    layout: Layout
    workdir: PurePosixPath = field(default_factory=lambda: PurePosixPath("/"))
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: Command | None = None
    command: Command | None = None
    installs: list[Install] = field(default_factory=list)
    python: str | None = None
    missing: int = 0
    """How many sources of COPY are not in the repository: the context is another folder then."""

    def child(self, submission: Submission) -> "Stage":
        """A stage that begins as this one is now."""
        return Stage(
            Layout(submission, list(self.layout.entries)),
            self.workdir,
            dict(self.env),
            self.entrypoint,
            self.command,
            list(self.installs),
            self.python,
            self.missing,
        )


def read(submission: Submission, path: Path, context: Path, target: str | None = None) -> Stage:
    """The stage that the Dockerfile at `path` builds, from the folder `context` of the repository.

    `target` names a stage other than the last. Raises SubmissionError if there is no such stage.
    """
    text = submission.text(path)
    if text is None:
        raise SubmissionError(f"There is no {path}, which the compose file builds; correct its `build`.")
    reader = _Reader(submission, context)
    for name, rest, body in _instructions(text):
        reader.take(name, rest, body)
    stage = reader.stages.get(target.lower()) if target else reader.last
    if stage is None:
        raise SubmissionError(f"{path} has no {f'stage {target}' if target else 'FROM'}; correct it.")
    return stage


class _Reader:
    """Follows the instructions, in order."""

    def __init__(self, submission: Submission, context: Path) -> None:
        self.stages: dict[str, Stage] = {}
        self.last: Stage | None = None
        self._submission = submission
        self._context = context
        self._count = 0
        self._arguments: dict[str, str] = {}

    def take(self, name: str, rest: str, body: str) -> None:
        if name == "FROM":
            self._from(rest)
        elif name == "ARG":
            argument, _, default = rest.partition("=")
            self._arguments[argument.strip()] = self._expand(default.strip().strip("\"'"))
        elif self.last is not None:
            self._take(self.last, name, rest, body)

    def _take(self, stage: Stage, name: str, rest: str, body: str) -> None:
        match name:
            case "WORKDIR":
                stage.workdir = _normal(stage.workdir / self._expand(rest.strip("\"'")))
            case "ENV":
                stage.env |= self._pairs(rest)
            case "COPY" | "ADD" if not body:
                self._copy(stage, rest)
            case "RUN":
                self._run(stage, rest, body)
            case "CMD":
                stage.command = _command(rest)
            case "ENTRYPOINT":
                # As in a build: a new entry point resets the command that came with the base.
                stage.entrypoint, stage.command = _command(rest), None

    def _from(self, rest: str) -> None:
        words = [word for word in self._expand(rest).split() if not word.startswith("--")]
        if not words:
            return
        base = self.stages.get(words[0].lower())
        self.last = base.child(self._submission) if base else Stage(Layout(self._submission))
        if base is None:
            tag = _PYTHON_TAG.search(words[0])
            self.last.python = tag[1] if tag else None
        self.stages[str(self._count)] = self.last
        self._count += 1
        if len(words) == 3 and words[1].lower() == "as":
            self.stages[words[2].lower()] = self.last

    def _copy(self, stage: Stage, rest: str) -> None:
        words, flags = _flags(rest)
        names = _json_words(words) or shlex.split(words)
        if len(names) < 2:
            return
        *sources, target = [self._expand(name) for name in names]
        place = _normal(stage.workdir / target)
        if "from" in flags:
            self._copy_from_stage(stage, flags["from"], sources, place)
            return
        into = (
            len(sources) > 1
            or target.endswith(("/", "."))
            or any(known == place for known, _ in stage.layout.entries)
        )
        for source in sources:
            found = list(self._matching(source))
            stage.missing += not found
            for path in found:
                is_file = (self._submission.root / path).is_file()
                stage.layout.add(place / path.name if is_file and (into or len(found) > 1) else place, path)

    def _copy_from_stage(self, stage: Stage, name: str, sources: Sequence[str], place: PurePosixPath) -> None:
        origin = self.stages.get(self._expand(name).lower())
        if origin is None:
            return  # another image: nothing of the repository's
        stage.installs += [install for install in origin.installs if install not in stage.installs]
        for source in sources:
            absolute = _normal(PurePosixPath("/") / source)
            for target, path in list(origin.layout.entries):
                if target.is_relative_to(absolute):
                    stage.layout.add(place / target.relative_to(absolute), path)
                elif absolute.is_relative_to(target) and (
                    under := inside(path / absolute.relative_to(target))
                ):
                    stage.layout.add(place, under)

    def _matching(self, source: str) -> Iterator[Path]:
        path = inside(self._context / source.lstrip("/"))
        if path is None:
            return
        if any(character in source for character in "*?["):
            root = self._submission.root
            yield from sorted(found.relative_to(root) for found in root.glob(str(path)))
        elif self._submission.has(path):
            yield path

    def _run(self, stage: Stage, rest: str, body: str) -> None:
        words, _ = _flags(rest)
        exec_form = _json_words(words)
        script = body or (shlex.join(exec_form) if exec_form else words)
        directory = stage.workdir
        for segment in shell.segments(script):
            if segment.text.startswith("cd "):
                directory = _normal(directory / segment.text[3:].strip())
            elif install := installs.read(self._expand(segment.text), directory):
                stage.installs.append(install)

    def _pairs(self, rest: str) -> dict[str, str]:
        try:
            words = shlex.split(rest)
        except ValueError:
            return {}
        if words and "=" not in words[0]:
            words = [f"{words[0]}={' '.join(words[1:])}"]
        pairs = (word.partition("=") for word in words)
        return {name: self._expand(value) for name, _, value in pairs}

    def _expand(self, text: str) -> str:
        known = self._arguments | (self.last.env if self.last else {})
        return shell.expand(text, known, unknown="") or ""


def _instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Each instruction's name, its line with continuations joined, and the text of its here-document."""
    lines = deque(text.splitlines())
    while lines:
        line = _next(lines)
        while line.endswith("\\"):
            line = f"{line[:-1]} {_next(lines)}"
        name, _, rest = line.partition(" ")
        body = ""
        if name.upper() in {"RUN", "COPY", "ADD"} and (heredoc := _HEREDOC.search(rest)):
            taken = []
            while lines and lines[0].strip() != heredoc[2]:
                taken.append(lines.popleft())
            body = "\n".join(taken) or " "
            if lines:
                lines.popleft()
        yield name.upper(), rest.strip(), body


def _next(lines: deque[str]) -> str:
    """The next line that is neither empty nor a comment: such do not end a continued instruction."""
    while lines:
        line = lines.popleft().strip()
        if line and not line.startswith("#"):
            return line
    return ""


def _flags(rest: str) -> tuple[str, dict[str, str]]:
    flags = {}
    while match := _FLAG.match(rest):
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    return rest, flags


def _json_words(text: str) -> list[str] | None:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _command(rest: str) -> Command:
    words = _json_words(rest)
    return rest if words is None else words


def _normal(path: PurePosixPath) -> PurePosixPath:
    """`path` without its dots."""
    return PurePosixPath(posixpath.normpath(path))
