"""Reads a Dockerfile: what it runs, and what it copies where."""

import json
import posixpath
import re
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from grading.errors import SubmissionError
from grading.start import shell
from grading.start.container import Build, Command, Container
from grading.submission import Submission, inside

_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_FLAG = re.compile(r"--([\w-]+)(?:=(\S+))?\s+")
_STARS = re.compile(r"\*\*+(?=[^/])|(?<=[^/])\*\*+")
"""Two stars that are not a whole part of a path mean one to Docker, and an error to some versions of Python."""
_PYTHON_TAG = re.compile(r"python:?(3\.\d+)")


def find(submission: Submission, paths: Sequence[Path]) -> list[Container]:
    """Return the containers that the first Dockerfile of `paths` may describe, the likeliest first.

    Nothing says which folder it is built from; most likely it is the one with the most of what it copies.
    """
    path = next((path for path in paths if submission.has(path)), None)
    if path is None:
        return []
    readers = [_read(submission, path, context) for context in dict.fromkeys([path.parent, Path()])]
    readers.sort(key=lambda reader: reader.missing)
    return [reader.stage(None) for reader in readers]


def read(submission: Submission, path: Path, context: Path, target: str | None = None) -> Container:
    """Return the container that the Dockerfile at `path` describes, built from the folder `context`.

    `target` names a stage other than the last. Raises SubmissionError if there is no such file or stage.
    """
    return _read(submission, path, context).stage(target)


def _read(submission: Submission, path: Path, context: Path) -> "_Reader":
    text = submission.text(path)
    if text is None:
        raise SubmissionError(f"There is no {path}, which the compose file builds; correct its `build`.")
    reader = _Reader(submission, path, context)
    for name, rest, body in _instructions(text):
        reader.take(name, rest, body)
    return reader


class _Reader:
    """Follows the instructions, in order; each stage of the build is a container."""

    def __init__(self, submission: Submission, path: Path, context: Path) -> None:
        self._submission = submission
        self._path = path
        self._context = context
        self._stages: dict[str, Container] = {}
        self._last: Container | None = None
        self._count = 0
        self._arguments: dict[str, str] = {}
        self.missing = 0
        """How many sources of COPY are not there."""

    def stage(self, target: str | None) -> Container:
        found = self._stages.get(target.lower()) if target else self._last
        if found is None:
            raise SubmissionError(
                f"{self._path} has no {f'stage {target}' if target else 'FROM'}; correct it."
            )
        return replace(found, build=Build(self._path, self._context, target))

    def take(self, name: str, rest: str, body: str) -> None:
        if name == "FROM":
            self._from(rest)
        elif name == "ARG":
            argument, _, default = rest.partition("=")
            self._arguments[argument.strip()] = self._expand(default.strip().strip("\"'"))
        elif self._last is not None:
            self._take(self._last, name, rest, body)

    def _take(self, stage: Container, name: str, rest: str, body: str) -> None:
        match name:
            case "WORKDIR":
                stage.workdir = _normal(stage.workdir / self._expand(rest.strip("\"'")))
            case "ENV":
                stage.env |= self._pairs(rest)
            case "COPY" | "ADD" if not body:
                self._copy(stage, rest)
            case "RUN":
                self._run(stage, rest, body)
            case "VOLUME":
                names = _json_words(rest) or shlex.split(rest)
                stage.volumes += [_normal(stage.workdir / self._expand(name)) for name in names]
            case "CMD":
                stage.command = _command(rest)
            case "ENTRYPOINT":
                # As in a build: a new entry point resets the command that came with the base.
                stage.entrypoint, stage.command = _command(rest), None

    def _from(self, rest: str) -> None:
        words = [word for word in self._expand(rest).split() if not word.startswith("--")]
        if not words:
            return
        base = self._stages.get(words[0].lower())
        self._last = self._child(base) if base else self._empty(words[0])
        self._stages[str(self._count)] = self._last
        self._count += 1
        if len(words) == 3 and words[1].lower() == "as":
            self._stages[words[2].lower()] = self._last

    def _empty(self, image: str) -> Container:
        tag = _PYTHON_TAG.search(image)
        return Container(self._submission, "dockerfile", str(self._path), python=tag[1] if tag else None)

    def _child(self, base: Container) -> Container:
        return replace(
            base,
            files=list(base.files),
            volumes=list(base.volumes),
            env=dict(base.env),
            runs=list(base.runs),
        )

    def _copy(self, stage: Container, rest: str) -> None:
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
            len(sources) > 1 or target.endswith(("/", ".")) or any(known == place for known, _ in stage.files)
        )
        for source in sources:
            found = list(self._matching(source))
            self.missing += not found
            for path in found:
                is_file = (self._submission.root / path).is_file()
                name = path.name if is_file and (into or len(found) > 1) else ""
                stage.files.append((place / name, path))

    def _copy_from_stage(
        self, stage: Container, name: str, sources: Sequence[str], place: PurePosixPath
    ) -> None:
        origin = self._stages.get(self._expand(name).lower())
        if origin is None:
            return  # another image: nothing of the repository's
        stage.runs += [run for run in origin.runs if run not in stage.runs]
        for source in sources:
            absolute = _normal(PurePosixPath("/") / source)
            for target, path in list(origin.files):
                if target.is_relative_to(absolute):
                    stage.files.append((place / target.relative_to(absolute), path))
                elif absolute.is_relative_to(target) and (
                    under := inside(path / absolute.relative_to(target))
                ):
                    stage.files.append((place, under))

    def _matching(self, source: str) -> Iterator[Path]:
        path = inside(self._context / source.lstrip("/"))
        if path is None:
            return
        if any(character in source for character in "*?["):
            root = self._submission.root
            pattern = _STARS.sub("*", str(path))
            yield from sorted(found.relative_to(root) for found in root.glob(pattern))
        elif self._submission.has(path):
            yield path

    def _run(self, stage: Container, rest: str, body: str) -> None:
        words, _ = _flags(rest)
        exec_form = _json_words(words)
        script = body or (shlex.join(exec_form) if exec_form else words)
        directory = stage.workdir
        for text, _ in shell.commands(script):
            if text.startswith("cd "):
                directory = _normal(directory / text[3:].strip())
            else:
                stage.runs.append((directory, self._expand(text)))

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
        known = self._arguments | (self._last.env if self._last else {})
        return shell.expand(text, known, unknown="") or ""


def _instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each instruction's name, its line with continuations joined, and the text of its here-document."""
    lines = deque(text.splitlines())
    while lines:
        line = _next(lines)
        while line.endswith("\\"):
            line = f"{line[:-1]} {_next(lines)}"
        name, rest = (*line.split(maxsplit=1), "", "")[:2]
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
    """Return the next line that is not empty or a comment: those do not end a continued instruction."""
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
    """Return `path` without its dots."""
    return PurePosixPath(posixpath.normpath(path))
