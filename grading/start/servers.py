"""The servers that can be given a host and a port, and the options that this takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Server:
    """The options with which a server takes its address, and those to leave out: flags, and options with a value."""

    host: tuple[str, ...] = ("--host",)
    port: tuple[str, ...] = ("--port",)
    bind: tuple[str, ...] = ()
    flags: tuple[str, ...] = ("--reload",)
    values: tuple[str, ...] = ()

    def address(self) -> list[str]:
        """Return the options that give the address."""
        if self.bind:
            return [self.bind[-1], "{host}:{port}"]
        return [self.host[-1], "{host}", self.port[-1], "{port}"]


_RELOADS = ("--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay")
SERVERS = {
    # The file of --env-file is a secret, which no snapshot has.
    "uvicorn": Server(values=(*_RELOADS, "--uds", "--fd", "--env-file")),
    "fastapi": Server(),
    "gunicorn": Server((), (), bind=("-b", "--bind"), flags=("--reload", "-D", "--daemon"), values=("--reload-engine", "--reload-extra-file")),
    "hypercorn": Server((), (), bind=("-b", "--bind"), flags=("--reload", "-d", "--daemon"), values=("--insecure-bind", "--quic-bind")),
    "granian": Server(values=("--reload-paths", "--uds")),
    "daphne": Server(("-b", "--bind"), ("-p", "--port"), flags=(), values=("-u", "--unix-socket", "--fd")),
}  # fmt: skip


def find_server(words: Sequence[str]) -> int | None:
    """Return where in a command a known server is named."""
    return next((index for index, word in enumerate(words) if PurePosixPath(word).name in SERVERS), None)


def with_address(words: Sequence[str]) -> list[str]:
    """Return the command of a known server with `{host}` and `{port}` in place of its own address.

    Options that only make sense in development, such as `--reload`, are left out.
    """
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
