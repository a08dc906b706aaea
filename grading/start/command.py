"""Reads the command that starts a service, down to a program that can be given a host and a port.

Known servers get them as options. Any other program takes them from `{host}` and `{port}` in its command, or from the
variables HOST and PORT. Scripts are followed, those of package.json too, and wrappers such as `tini` and `uv run` are
left out: a signal has to reach the service itself.
"""

import re
import shlex
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from grading.start import installs, package_json, shell
from grading.start.container import Command, Container
from grading.start.errors import UnclearStartError
from grading.start.requirements import Requirements
from grading.start.servers import SERVERS, find_server, with_address

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_ACTIVATION = re.compile(r"(?:source|\.)\s+\S*/bin/activate")
_OWN_PATH = re.compile(r"\$\{?BASH_SOURCE(?:\[0\])?\}?")
"""How bash calls the file that it runs; a text that is given to it has the name $0 alone."""
_KEYWORD = re.compile(r"(?:then|else|do)\s+")
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?")
_CONFIGURATIONS = frozenset({"-c", "--config"})
"""Options whose value may look like an application: `gunicorn -c python:api.gunicorn_conf`."""
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
_NPX_VALUES = frozenset({"-p", "--package"})
_ALL_ARGUMENTS = frozenset({'exec "$@"', "exec $@", '"$@"', "$@", 'exec "${@}"'})


@dataclass
class StartCommand:
    """What a start command comes down to: `words`, a template with `{root}`, `{host}` and `{port}`.

    `directory` is the folder of the container that it starts in. `shell` names the shell that it needs, if any: to run
    `before` first, and to read the words themselves if they are `raw`; `script` is the file whose text that is, if any.
    `installed` is what it installs on the way, `extras` and `groups` are what it adds to the project's dependencies.
    `package` is the folder of the package.json whose script it runs, if it runs one.
    """

    directory: PurePosixPath
    words: list[str] = field(default_factory=list)
    raw: bool = False
    before: str = ""
    shell: str = ""
    script: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    installed: list[Requirements] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    package: Path | None = None

    @property
    def app(self) -> str | None:
        """The application that a server loads, as `module:attribute`."""
        server = find_server(self.words)
        after = self.words[server + 1 :] if server is not None else []
        values = {following for word, following in pairwise(after) if word in _CONFIGURATIONS}
        return next((word for word in after if _APP.fullmatch(word) and word not in values), None)

    def option(self, *names: str) -> str | None:
        """Return the value of an option of the server."""
        for word, following in zip(self.words, [*self.words[1:], ""], strict=True):
            name, equals, value = word.partition("=")
            if name in names:
                return value if equals else following
        return None


def read(container: Container) -> StartCommand:
    """Return what the start command of `container` comes down to.

    Raises UnclearStartError for a command that cannot be started without its container.
    """
    found = container.start_command
    return _Reader(container).read("" if found is None else found)


class _Reader:
    """Reads one start command, and the scripts that it leads to."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._start = StartCommand(directory=container.workdir)
        self._depth = 0

    def read(self, command: Command) -> StartCommand:
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
        if call := package_json.script_call(words):
            self._package_script(call)
        elif program in package_json.WATCHERS:
            advice = 'have the script `start` run the service itself, such as "node src/server.js"'
            raise self._unclear(f"runs {program}, which is for development: {advice}")
        elif program in _SHELLS:
            self._shell(program, words[1:])
        elif script := self._script_file(words[0]):
            self._file(script, words[1:])
        else:
            if "/" in words[0] and PurePosixPath(words[0]).parent.name in {"bin", "sbin"}:
                words[0] = program
            self._finish(words, shell_name)

    def _shell(self, name: str, words: list[str]) -> None:
        flags, rest = _shell_options(words)
        if not rest:
            raise self._unclear(f"only starts {name}")
        if any("c" in flag for flag in flags if not flag.startswith("--")):
            self._script(rest[0], name, rest[2:])
        elif file := self._script_file(rest[0], anything=True):
            self._file(file, rest[1:])
        else:
            raise self._unclear(f"runs {rest[0]}, which is not in the repository")

    def _package_script(self, call: package_json.ScriptCall) -> None:
        """Read the script of package.json in place of the package manager, which does not pass every signal on."""
        self._start.directory /= call.prefix
        folders = self._container.locate(self._start.directory)
        folder = package_json.folder_of(self._container.submission, folders)
        package = None if folder is None else package_json.read(self._container.submission, folder)
        if package is None:
            raise self._unclear(
                f"runs a script of package.json, and there is none in {self._start.directory}"
            )
        text = package.scripts.get(call.name)
        if text is None:
            raise self._unclear(
                f"runs the script `{call.name}`, which {package.folder / package_json.FILE} does not have"
            )
        self._start.package = package.folder
        if f"pre{call.name}" in package.scripts:
            self._start.before += f"npm run pre{call.name} && "
            self._start.shell = "sh"
        self._script(" ".join([text, *map(shlex.quote, call.arguments)]), "sh", [])

    def _script_file(self, word: str, *, anything: bool = False) -> Path | None:
        """Return the file of the repository that the program `word` is."""
        if "/" not in word and not anything:
            return None
        return self._container.locate_file(self._start.directory / word)

    def _file(self, file: Path, arguments: list[str]) -> None:
        text = self._container.submission.text(file) or ""
        first = text.partition("\n")[0]
        if file.suffix == ".py" or "python" in first:
            self._finish(["python", f"{{root}}/{file}", *arguments], "")
        else:
            self._start.script = file
            self._script(_OWN_PATH.sub("$0", text), "bash" if "bash" in first else "sh", arguments)

    def _script(self, text: str, name: str, arguments: list[str]) -> None:
        found = shell.commands(text)
        if not found:
            raise self._unclear("is empty")
        *before, (last, _) = found
        if before and before[-1][1] == "|":
            raise self._unclear("ends in a pipe")
        kept = self._preparations(before)
        if kept:
            self._start.before += kept
            self._start.shell = name
        if last in _ALL_ARGUMENTS and arguments:
            self._words(arguments)
            return
        try:
            # Quotes stay, for the shell that may read these words again.
            words = shell.words(last)
        except ValueError as error:
            raise self._unclear(f"cannot be split into words ({error})") from error
        self._words(words, name)

    def _preparations(self, commands: Sequence[tuple[str, str]]) -> str:
        """Return what a shell has to run before the last command: installations and folders are taken from it.

        What is taken out counts as done: nothing happens of what follows it after `||`, and where something stands before
        it, a command that does nothing takes its place.
        """
        kept, settings = "", ""
        waiting = deque(commands)
        while waiting:
            text, operator = waiting.popleft()
            keyword = _KEYWORD.match(text)
            command = text[keyword.end() :] if keyword else text
            if self._is_taken(command, first=not kept):
                while operator == "||" and waiting:
                    _, operator = waiting.popleft()
                if kept:
                    kept += f"{keyword[0] if keyword else ''}: {operator} "
            elif re.match(r"set\s+[-+]", text) and not kept:
                settings += f"{text}; "
            else:
                kept += f"{text} {operator} "
        return settings + kept if kept else ""

    def _is_taken(self, command: str, *, first: bool) -> bool:
        """Whether a command has been taken over: what it installs, where it goes, and what it sets for those after it.

        A folder or a variable is only known where it is set before anything else.
        """
        install = installs.read(command, self._start.directory, self._container)
        if install is not None:
            self._start.installed.append(install)
            return True
        if _ACTIVATION.fullmatch(command):
            return True
        if first and (folder := re.fullmatch(r"cd\s+([^\s$`]+)", command)):
            self._start.directory /= folder[1].strip("\"'")
            return True
        if first and (exported := re.fullmatch(r"export\s+([A-Za-z_]\w*=[^\s$`]*)", command)):
            self._assign(exported[1])
            return True
        return False

    def _unwrap(self, words: list[str]) -> list[str]:
        """Return `words` without the wrappers that only start the rest of them."""
        while words:
            name = PurePosixPath(words[0]).name
            if _ASSIGNMENT.match(words[0]):
                self._assign(words[0])
                words = words[1:]
            elif name in {"exec", "env", "nohup", "cross-env"}:
                words = words[1:]
            elif name == "npx":
                words, _ = _options(words[1:], _NPX_VALUES)
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
        if PurePosixPath(words[0]).name in package_json.PROGRAMS:
            words = package_json.without_development(words)
        index = find_server(words)
        if index is not None:
            words = [*words[:index], *with_address(words[index:])]
        elif any(PurePosixPath(word).name in SERVERS for word in self._start.before.split()):
            raise self._unclear("does more after the server's start")
        self._start.raw = bool(shell_name) and shell.needs_shell(" ".join(words))
        if self._start.raw:
            self._start.shell = shell_name
        self._start.words = shlex.split(" ".join(words)) if shell_name and not self._start.raw else words

    def _unclear(self, problem: str) -> UnclearStartError:
        return UnclearStartError(f"The start command of {self._container.origin} {problem}")


def _shell_options(words: list[str]) -> tuple[list[str], list[str]]:
    """Split the options of a shell off the front of `words`; what follows a script is the script's."""
    flags, rest = [], list(words)
    while rest and rest[0].startswith(("-", "+")):
        flags.append(rest.pop(0))
        if flags[-1].endswith("o") and not flags[-1].startswith("--") and rest:
            rest.pop(0)  # the option's name, such as pipefail
    return flags, rest


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
