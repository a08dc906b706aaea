"""Turns the command that starts a service into one that can be given a host and a port.

Servers that are known get them as options, in place of their own; what only makes sense in
development (`--reload`) or in a container (`tini`, `uv run`) goes. Every other program has to take
them from `{host}` and `{port}` in its command, or from the variables HOST and PORT.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grading.start import installs, shell
from grading.start.errors import UnclearStartError
from grading.start.installs import Install
from grading.start.layout import Layout
from grading.start.shell import Segment
from grading.submission import Submission

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?")
_PYTHON = re.compile(r"python[\d.]*")
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_INITS = frozenset({"tini", "dumb-init", "catatonit"})
_RUNNERS = frozenset({"poetry", "pipenv", "pdm", "hatch", "rye"})
_INIT_VALUES = frozenset({"-e", "-p", "-r", "--rewrite"})
_UV_VALUES = frozenset(
    {
        "--python",
        "-p",
        "--env-file",
        "--with",
        "--extra",
        "--group",
        "--no-group",
        "--only-group",
        "--package",
        "--project",
    }
    | {
        "--directory",
        "--with-requirements",
        "--with-editable",
        "--index",
        "--default-index",
        "--cache-dir",
        "--no-extra",
    }
)
_ALL_ARGUMENTS = frozenset({'exec "$@"', "exec $@", '"$@"', "$@", 'exec "${@}"'})


@dataclass(frozen=True)
class Server:
    """The options with which a server takes its address, and those that have no place here."""

    host: tuple[str, ...] = ("--host",)
    port: tuple[str, ...] = ("--port",)
    bind: tuple[str, ...] = ()
    flags: tuple[str, ...] = ("--reload",)
    values: tuple[str, ...] = ()

    def address(self) -> list[str]:
        """The options that give the address."""
        if self.bind:
            return [self.bind[-1], "{host}:{port}"]
        return [self.host[-1], "{host}", self.port[-1], "{port}"]


_RELOADS = ("--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay")
SERVERS = {
    # The file that --env-file names is never taken along.
    "uvicorn": Server(values=(*_RELOADS, "--uds", "--fd", "--env-file")),
    "fastapi": Server(),
    "gunicorn": Server((), (), bind=("-b", "--bind"), flags=("--reload", "-D", "--daemon"), values=("--reload-engine", "--reload-extra-file")),
    "hypercorn": Server((), (), bind=("-b", "--bind"), flags=("--reload", "-d", "--daemon"), values=("--insecure-bind", "--quic-bind")),
    "granian": Server(values=("--reload-paths", "--uds")),
    "daphne": Server(("-b", "--bind"), ("-p", "--port"), flags=(), values=("-u", "--unix-socket", "--fd")),
}  # fmt: skip


@dataclass
class Start:
    """A start command, read: `words` are a template with `{root}`, `{host}` and `{port}`.

    `directory` is where it starts, in the container. Where `raw`, the words are still a shell's;
    `before` is what that shell has to run first.
    """

    directory: PurePosixPath
    words: list[str] = field(default_factory=list)
    raw: bool = False
    before: str = ""
    shell: str = ""
    env: dict[str, str] = field(default_factory=dict)
    installs: list[Install] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    @property
    def app(self) -> str | None:
        """What a server is to load, as `module:attribute`."""
        server = server_index(self.words)
        after = self.words[server + 1 :] if server is not None else []
        return next((word for word in after if _APP.fullmatch(word)), None)

    def option(self, *names: str) -> str | None:
        """The value of an option of the server."""
        for word, following in zip(self.words, [*self.words[1:], ""], strict=True):
            name, equals, value = word.partition("=")
            if name in names:
                return value if equals else following
        return None


def server_index(words: Sequence[str]) -> int | None:
    """Where in a command the known server is named."""
    return next((index for index, word in enumerate(words) if PurePosixPath(word).name in SERVERS), None)


class Reader:
    """Reads one start command, and the scripts that it leads to."""

    def __init__(self, submission: Submission, layout: Layout, directory: PurePosixPath, origin: str) -> None:
        self._submission = submission
        self._layout = layout
        self._origin = origin
        self._start = Start(directory=directory)
        self._depth = 0

    def read(self, command: str | Sequence[str]) -> Start:
        """What `command`, in shell form or as words, comes down to.

        Raises UnclearStartError for what cannot be started without its container.
        """
        if isinstance(command, str):
            self._script(command, "sh", [])
        else:
            self._words(list(command))
        if not self._start.words:
            raise self._unclear("is empty")
        return self._start

    def _words(self, words: list[str], shell_name: str = "") -> None:
        self._depth += 1
        words = self._unwrap(words)
        if not words or self._depth > 5:
            raise self._unclear("starts nothing" if not words else "leads from script to script")
        program = PurePosixPath(words[0]).name
        if program in _SHELLS:
            self._shell(program, words[1:])
        elif script := self._script_file(words[0]):
            self._file(script, words[1:])
        else:
            if "/" in words[0] and PurePosixPath(words[0]).parent.name in {"bin", "sbin"}:
                words[0] = program
            self._finish(words, shell_name)

    def _shell(self, name: str, words: list[str]) -> None:
        flags = [word for word in words if word.startswith("-")]
        rest = [word for word in words if not word.startswith("-")]
        if not rest:
            raise self._unclear(f"only starts {name}")
        if any("c" in flag for flag in flags if not flag.startswith("--")):
            self._script(rest[0], name, rest[2:])
        elif file := self._script_file(rest[0], anything=True):
            self._file(file, rest[1:])
        else:
            raise self._unclear(f"runs {rest[0]}, which is not in the repository")

    def _script_file(self, word: str, *, anything: bool = False) -> Path | None:
        """The file of the repository that the program `word` is."""
        if "/" not in word and not anything:
            return None
        places = self._layout.locate(self._start.directory / word)
        return next((place for place in places if (self._submission.root / place).is_file()), None)

    def _file(self, file: Path, arguments: list[str]) -> None:
        text = self._submission.text(file) or ""
        first = text.partition("\n")[0]
        if file.suffix == ".py" or "python" in first:
            self._finish(["python", f"{{root}}/{file}", *arguments], "")
        else:
            self._script(text, "bash" if "bash" in first else "sh", arguments)

    def _script(self, text: str, name: str, arguments: list[str]) -> None:
        found = shell.segments(text)
        if not found:
            raise self._unclear("is empty")
        if found[:-1] and found[-2].operator == "|":
            raise self._unclear("ends in a pipe")
        kept = self._preparations(found[:-1])
        if kept:
            self._start.before += kept
            self._start.shell = name
        last = found[-1].text
        if last in _ALL_ARGUMENTS and arguments:
            self._words(arguments)
            return
        try:
            # Quotes stay, for the shell that may read these words again.
            words = shell.words(last)
        except ValueError as error:
            raise self._unclear(f"cannot be split into words ({error})") from error
        self._words(words, name)

    def _preparations(self, found: Sequence[Segment]) -> str:
        """What a shell has to run before the last command, without what can be had otherwise."""
        kept, settings = "", ""
        for segment in found:
            folder = re.fullmatch(r"cd\s+([^\s$`]+)", segment.text)
            if install := installs.read(segment.text, self._start.directory):
                self._start.installs.append(install)
            elif folder and not kept:
                self._start.directory /= folder[1].strip("\"'")
            elif re.match(r"set\s+[-+]", segment.text):
                settings += f"{segment.text}; "
            else:
                kept += f"{segment.text} {segment.operator} "
        return settings + kept if kept else ""

    def _unwrap(self, words: list[str]) -> list[str]:
        """`words` without what only starts the rest of them."""
        while words:
            name = PurePosixPath(words[0]).name
            if _ASSIGNMENT.match(words[0]):
                self._assign(words[0])
                words = words[1:]
            elif name in {"exec", "env", "nohup"}:
                words = words[1:]
            elif name in _INITS:
                words, _ = _options(words[1:], _INIT_VALUES)
            elif name in _RUNNERS and words[1:2] == ["run"]:
                words = words[2:]
            elif name == "uv" and words[1:2] == ["run"]:
                words = self._uv_run(words[2:])
            else:
                break
        return words

    def _assign(self, word: str) -> None:
        name, _, value = word.partition("=")
        if shell.needs_shell(value):
            self._start.before += f"export {word}; "
            self._start.shell = self._start.shell or "sh"
        else:
            self._start.env[name] = value.strip("\"'")

    def _uv_run(self, words: list[str]) -> list[str]:
        words, options = _options(words, _UV_VALUES)
        for name, value in options:
            if name == "--directory":
                self._start.directory /= value
            elif name in {"--extra", "--group"}:
                (self._start.extras if name == "--extra" else self._start.groups).append(value)
            elif name in {"-m", "--module"}:
                return ["python", "-m", *words]
        return ["python", *words] if words and words[0].endswith(".py") else words

    def _finish(self, words: list[str], shell_name: str) -> None:
        index = server_index(words)
        if index is not None:
            words = [*words[:index], *_with_address(words[index:])]
        elif any(PurePosixPath(word).name in SERVERS for word in self._start.before.split()):
            raise self._unclear("does more after the server's start")
        self._start.raw = bool(shell_name) and shell.needs_shell(" ".join(words))
        if self._start.raw:
            self._start.shell = shell_name
        self._start.words = shlex.split(" ".join(words)) if shell_name and not self._start.raw else words

    def _unclear(self, what: str) -> UnclearStartError:
        return UnclearStartError(f"The start command of {self._origin} {what}")


def _options(words: list[str], with_value: frozenset[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Split the options off the front of `words`."""
    rest, found = list(words), []
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if not equals and name in with_value and rest:
            value = rest.pop(0)
        found.append((name, value))
    return rest, found


def _with_address(words: list[str]) -> list[str]:
    """A known server's command with its address as a template."""
    name = PurePosixPath(words[0]).name
    server = SERVERS[name]
    with_value = {*server.host, *server.port, *server.bind, *server.values}
    kept = []
    rest = iter(words[1:])
    for word in rest:
        option = word.partition("=")[0]
        if option in with_value:
            if option == word:
                next(rest, None)
        elif option not in server.flags and not _is_joined(word, with_value):
            kept.append(word)
    if name == "fastapi" and kept[:1] == ["dev"]:
        kept[0] = "run"
    return [name, *kept, *server.address()]


def _is_joined(word: str, with_value: set[str]) -> bool:
    """Whether `word` is a short option with its value, such as `-b:8000`."""
    return not word.startswith("--") and len(word) > 2 and word[:2] in with_value
