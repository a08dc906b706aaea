"""One experiment's lab: a running service, its upstreams, a client, and the record of it all."""

import asyncio
import contextlib
import io
import json
import os
import random
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from chaos.contract import Contract, compose, field
from chaos.files import matching_files, read_plain, replace_text
from chaos.history import (
    SERVICE,
    Answer,
    Database,
    Failure,
    File,
    Given,
    History,
    Launched,
    Log,
    Phase,
    Planted,
    Ready,
    Trace,
    Tree,
    Tried,
    Workers,
)
from chaos.http_client import Client
from chaos.keys import Keys
from chaos.linter import run_linter
from chaos.llm import ScriptedLLM
from chaos.mlflow import MlflowStandIn
from chaos.network import LOOPBACK, Network
from chaos.own_tests.covered import measure_coverage
from chaos.own_tests.run import run_tests
from chaos.plain_text import encodable
from chaos.postgres import PostgresDatabase, PostgresServer, TooMuchOutputError
from chaos.program import Program
from chaos.recorder import Recorder
from chaos.service import Service
from chaos.toxiproxy import Toxiproxy
from chaos.trace_files import TraceFiles
from chaos.traces import generations, is_complete
from chaos.upstreams import Upstreams
from lab import control
from lab.axes import Axis
from lab.control import Need
from lab.prompts import long_prompt, prompt
from lab.settings import Draw, Settings, no_settings

One = TypeVar("One")
Other = TypeVar("Other")

START_SECONDS = 60.0
POLL_SECONDS = 0.05
ANSWER_SECONDS = 1.0
LOOK_SECONDS = 0.25
RESTS_PER_LOOK = 4
"""Between two looks for traces: so many times as long as the first took."""
CONTROL_TRIES = 3
CONTROL_PATIENCE = 15.0
TEXT_BYTES = 1024 * 1024
SECOND = "second"
RESTARTED = "restarted"
MOST_PATHS = 5_000
TOOLS_FOLDERS = {".git", ".venv", "venv", "node_modules", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of the service that runs beside the first, or after it, with a client of its own."""

    service: Service
    client: Client


class Lab:
    """What an experiment works with, from entering to leaving the context.

    Entering makes the upstreams; `start` and `control` bring the service up and show that it works.
    """

    def __init__(
        self,
        name: str,
        *,
        seed: int,
        contract: Contract,
        program: Program,
        toxiproxy: Toxiproxy,
        recorder: Recorder,
        starts: contextlib.AbstractAsyncContextManager[object],
        postgres: PostgresServer,
        copies: Callable[[], Program],
        network: Network = LOOPBACK,
        settings: Draw = no_settings,
    ) -> None:
        self.recorder = recorder
        self.contract = contract
        self.upstreams = Upstreams(name, contract, toxiproxy, recorder, network, postgres=postgres)
        self.client: Client
        self.service: Service
        self.control_key = ""
        self.token = ""
        source = random.Random(f"{seed}/{name}/secrets")  # noqa: S311 - must be replayable
        self.secrets = contract.draw(source)
        self.allowed_origins = (
            f"https://chat-{source.getrandbits(32):08x}.example.org",
            f"http://console-{source.getrandbits(32):08x}.example.net:{source.randrange(3100, 6400)}",
        )
        self.settings = settings(random.Random(f"{seed}/{name}/settings"))  # noqa: S311 - must be replayable
        self._given = contract.given(self.secrets) | compose(self.settings.composed, self.secrets)
        self._keys = Keys(seed, name)
        self._order = random.Random(f"{seed}/{name}/order")  # noqa: S311 - must be replayable
        self._program = program
        self._copies = copies
        self._trace_files = TraceFiles(program.root)
        self._network = network
        self._starts = starts
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for name, secret in self.contract.secrets.items():
            if secret.value is None:  # what is fixed is known to everybody
                for variable in secret.variables:
                    self.recorder.record(Planted(name=variable, value=self._given[variable]))
                if self.secrets[name] not in self._given.values():
                    self.recorder.record(Planted(name=name, value=self.secrets[name]))
        await self._stack.enter_async_context(self.upstreams)
        await asyncio.to_thread(self._trace_files.leave_out_present)
        self._give(self.settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def llm(self) -> ScriptedLLM:
        """The scripted model; the first one if the contract has several."""
        return self.upstreams.of(ScriptedLLM)

    def llm_of(self, upstream: str) -> ScriptedLLM:
        """Return the scripted model behind an upstream of the contract's, such as `anthropic`."""
        return self.upstreams.of(ScriptedLLM, upstream)

    @property
    def root(self) -> Path:
        """The folder that holds all that the service may write."""
        return self._program.root

    @property
    def history(self) -> History:
        return self.recorder.history()

    async def start(self) -> bool:
        """Start the service and wait at most 60 s for its first HTTP answer; whether it came."""
        for _ in range(control.START_TRIES):
            self.service, host, port = await self._launch(SERVICE, {})
            self._stack.push_async_exit(self.service)
            self.client = Client(f"http://{host}:{port}", self.recorder, self._network)
            if await self._answers(self.service, self.client, SERVICE):
                return True
            if not self._port_was_taken(self.service, SERVICE):
                return False
        return False

    async def second(self) -> "Instance | None":
        """Start an instance beside the first, with the same variables and upstreams; None if it does not answer.

        It has a copy of the submission of its own, as on another machine. Its history is that of the instance `SECOND`.
        """
        return await self._start_beside(SECOND, await asyncio.to_thread(self._copies))

    async def kill_and_restart(self) -> "Instance | None":
        """Kill the service and all that it has started, at once, and start it again; None if it does not answer.

        It has the same files, variables and upstreams. Its history is that of the instance `RESTARTED`.
        """
        self.service.signal("KILL")
        await self.service.close()
        return await self._start_beside(RESTARTED, self._program)

    async def attempt(
        self, instance: str, changes: Mapping[str, str | None], *, seconds: float = 20.0
    ) -> None:
        """Start another instance with a changed environment, and record whether it exits or answers on its port.

        A value of None takes a variable away. The instance is ended as soon as one of the two, or `seconds`, is seen.
        A port that is open but answers nothing does not count: some servers bind it before the service is there.
        """
        for _ in range(control.START_TRIES):
            async with self._starts:
                service, host, port = await self._launch(instance, changes)
                async with service:
                    deadline = self.recorder.now() + seconds
                    while service.running and self.recorder.now() < deadline:
                        if await self._serves(host, port):
                            self.recorder.record(Ready(instance=instance, address=f"{host}:{port}"))
                            return
                        await service.wait_exit(POLL_SECONDS)
            if not self._port_was_taken(service, instance):
                return

    async def prepare(self, need: Need, *, tries: int = CONTROL_TRIES) -> bool:
        """Start the service and run the control phase, `tries` times at most; whether it holds as far as needed."""
        if not await self.start():
            return False
        self.phase("control")
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(1)
            if await self._control() or not self.service.running:
                break
            if attempt and self._went_unanswered():
                break
        return control.problem(self.history, need) is None

    def phase(self, name: Literal["control", "fault", "recovery"]) -> None:
        """Say what the events that follow belong to."""
        self.recorder.record(Phase(name=name))

    def key(self) -> str:
        """Return a new nonce for a prompt."""
        return next(self._keys)

    def vary(self, axis: Axis[One]) -> Iterator[tuple[str, One]]:
        """Yield every value of an axis by its name, in an order that the seed draws, and record that it is tried."""
        names = list(axis.values)
        self._order.shuffle(names)
        for name in names:
            self.recorder.record(Tried(axis=axis.name, value=name))
            yield name, axis.values[name]

    def pairs(self, one: Axis[One], other: Axis[Other]) -> Iterator[tuple[str, One, str, Other]]:
        """Yield pairs of values of two axes, in which each value of both is at least once; other runs pair them otherwise."""
        longer = max(len(one.values), len(other.values))
        ones, others = self._cycled(one, longer), self._cycled(other, longer)
        for name, other_name in zip(ones, others, strict=True):
            self.recorder.record(Tried(axis=one.name, value=name))
            self.recorder.record(Tried(axis=other.name, value=other_name))
            yield name, one.values[name], other_name, other.values[other_name]

    def choose(self, values: Sequence[One]) -> One:
        """Return one of several values of the same kind; the seed draws which."""
        return self._order.choice(values)

    def _cycled(self, axis: Axis[object], count: int) -> list[str]:
        names = list(axis.values)
        self._order.shuffle(names)
        return [names[place % len(names)] for place in range(count)]

    async def login(self, role: str) -> str:
        """Return an access token for one of the contract's users; an empty string where the service gives none."""
        user = self.contract.users.get(role)
        return await self.login_as(user.name, self.secrets[user.password]) if user else ""

    async def login_as(self, name: str, password: str) -> str:
        """Return an access token for a user; an empty string where the service gives none."""
        login = self.contract.login
        if login is None:
            return ""
        content = self.contract.login_body(name, password)
        form = login.encoding == "form"
        answer = await self.client.request(
            "POST",
            login.path,
            body=(urllib.parse.urlencode(content) if form else json.dumps(content)).encode(),
            headers={"content-type": "application/x-www-form-urlencoded" if form else "application/json"},
            label=control.LOGIN_LABEL,
            timeout=CONTROL_PATIENCE,
        )
        if isinstance(answer, Answer) and answer.status == 200:
            with contextlib.suppress(ValueError, RecursionError):
                token = str(field(json.loads(answer.body), login.token) or "")
                # Anything else is no token: it cannot stand in a header.
                return token if token.isascii() and token.isprintable() else ""
        return ""

    def ask_body(self, key: str, *, model: str | None = None, long: bool = False) -> dict[str, Any]:
        """Return the body of a request that has the model answer the prompt with `key`, a `long` one if so wanted."""
        return self.contract.ask_body(long_prompt(key) if long else prompt(key), model=model)

    async def generate(
        self,
        key: str | None = None,
        *,
        label: str,
        token: str | None = None,
        model: str | None = None,
        long: bool = False,
        **options: Any,
    ) -> Answer | Failure:
        """Ask the service to generate, by default for a new prompt and the usual model; options as in `Client.request`."""
        key = key or self.key()
        return await self.client.json(
            "POST",
            self.ask_path,
            self.ask_body(key, model=model, long=long),
            label=label,
            key=key,
            token=token or self.token or None,
            **options,
        )

    @property
    def ask_path(self) -> str:
        """The path by which the model is asked; the contract has to have [ask]."""
        assert self.contract.ask
        return self.contract.ask.path

    @property
    def login_path(self) -> str:
        """The path of a login; the contract has to have [login]."""
        assert self.contract.login
        return self.contract.login.path

    @property
    def model(self) -> str:
        """The usual model; the contract has to have [ask]."""
        assert self.contract.ask
        return self.contract.ask.models[0]

    @property
    def other_models(self) -> Sequence[str]:
        """The models that the contract names beside the usual one; the contract has to have [ask]."""
        assert self.contract.ask
        return self.contract.ask.models[1:]

    def endpoint(self, name: str) -> str:
        """Return the path of one of the contract's endpoints."""
        return self.contract.endpoints[name]

    async def get(self, path: str, *, label: str, **options: Any) -> Answer | Failure:
        """Get a path of the service; options as in `Client.request`."""
        return await self.client.request("GET", path, label=label, **options)

    async def count_workers(self) -> int:
        """Record and return how many processes of the service accept connections."""
        count = await self.service.count_listeners(self.client.port)
        self.recorder.record(Workers(count=count))
        return count

    def record_files(self, *patterns: str) -> None:
        """Record the submission's text files that match a pattern such as `src/**/*.py`, as the service got them.

        Links in the submission lead to its own files. Those that a service has made since then may lead anywhere.
        """
        root = self._program.repository
        if self.history.of(Launched):
            # From the folder around the repository on, for a service may have put a link in place of that too.
            prefix = f"{root.relative_to(self.root).as_posix()}/"
            inner = [f"{prefix}{pattern}" for pattern in patterns]
            for name, content in matching_files(self.root, inner, TEXT_BYTES):
                self._record_text(name.removeprefix(prefix), content)
            return
        inside = root.resolve()
        for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
            found = path.resolve()
            if path.is_symlink() or not found.is_relative_to(inside):
                continue  # a link has led out of the repository, or is the file
            # By way of `root`: what that resolves to is a path of the box, which is none of this machine.
            if (plain := read_plain(root, found.relative_to(inside), TEXT_BYTES)) is not None:
                self._record_text(path.relative_to(root).as_posix(), plain)

    def _record_text(self, path: str, content: bytes) -> None:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace").read()
        self.recorder.record(File(path=encodable(path), text=text))

    def record_tree(self) -> None:
        """Record the paths of the submission's files and folders, without what tools keep in folders of their own."""
        root = self._program.repository
        found: list[str] = []
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name not in TOOLS_FOLDERS)
            inner = Path(folder).relative_to(root)
            found += [encodable((inner / name).as_posix()) for name in (*folders, *sorted(files))]
            if len(found) > MOST_PATHS:
                break
        self.recorder.record(Tree(paths=tuple(found[:MOST_PATHS])))

    async def record_database(self) -> None:
        """Record what is in the service's database, as pg_dump writes it and without very long lines."""
        database = self.upstreams.of(PostgresDatabase)
        try:
            text = await database.dump()
        except TooMuchOutputError:
            self.recorder.record(Database(upstream=database.name, cut=True))
        except OSError as error:
            self.recorder.record(Database(upstream=database.name, problem=str(error)))
        else:
            self.recorder.record(
                Database(upstream=database.name, text=text[:TEXT_BYTES], cut=len(text) > TEXT_BYTES)
            )

    def write_env_file(self, lines: Mapping[str, str]) -> None:
        """Write the `.env` in the folder that the service is started in."""
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        file = self._program.workdir.relative_to(self.root) / ".env"
        replace_text(self.root, file, text)
        self.recorder.record(Given(env_file=text))

    async def run_own_tests(self, *, plugin: Path | None = None, faults: Sequence[str] = ("",)) -> None:
        """Run the submission's own tests once for each fault, without a network, and record how each ended.

        `plugin` is a Python file that puts the faults into the service; an empty one is the service as it is.
        """
        await run_tests(self._program, self.recorder, variables=self._given, plugin=plugin, faults=faults)

    async def run_linter(self) -> None:
        """Run the submission's linter on the submission, without a network, and record what it says."""
        await run_linter(self._program, self.recorder, variables=self._given)

    async def measure_own_tests(self) -> None:
        """Run the submission's own tests without a network, and record which lines of the service they run."""
        await measure_coverage(self._program, self.recorder, variables=self._given)

    async def find_traces(self, keys: Sequence[str], *, seconds: float) -> None:
        """Look for traces in the files that the service wrote, until all are complete or time is up.

        What is found is recorded, and once more when there is more of it.
        """
        deadline = self.recorder.now() + seconds
        while missing := set(keys) - self._traced():
            known = [one for key, one in generations(self.history).items() if key in missing]
            began = self.recorder.now()
            for trace in await asyncio.to_thread(self._trace_files.look, known):
                self.recorder.record(trace)
            ended = self.recorder.now()
            if ended > deadline:
                return
            # Files that take long to read would otherwise keep the lab from all else.
            pause = max(LOOK_SECONDS, RESTS_PER_LOOK * (ended - began))
            await asyncio.sleep(min(pause, deadline - ended))

    async def wait_for_traces(self, keys: Sequence[str], *, seconds: float) -> None:
        """Wait until MLflow has a trace of every prompt, or a file has, or time is up."""
        known = self._traced()
        mlflow = self.upstreams.of(MlflowStandIn)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for key in set(keys) - known:
                    await mlflow.wait_for_trace(key, timeout=seconds)

    def _traced(self) -> set[str]:
        return {trace.key for trace in self.history.of(Trace) if is_complete(trace)}

    def _give(self, settings: Settings) -> None:
        if given := {**settings.variables, **settings.composed}:
            self.recorder.record(Given(variables=given))
        if settings.env_file:
            self.write_env_file(settings.env_file)

    async def _control(self) -> bool:
        """Log in and have one prompt answered with nothing broken; whether that worked and went by the upstream."""
        self.token = await self.login(next(iter(self.contract.users), ""))
        if control.problem(self.history, "login") is None and self.contract.ask:
            self.control_key = self.key()
            await self.generate(self.control_key, label=control.LABEL, timeout=CONTROL_PATIENCE)
        return control.problem(self.history) is None

    def _went_unanswered(self) -> bool:
        """Whether the control phase has waited in vain, which it does twice at most."""
        end = control.moment(self.history)
        return isinstance(end, Failure) and end.error == "timeout"

    async def _start_beside(self, instance: str, program: Program) -> "Instance | None":
        async with self._starts:
            for _ in range(control.START_TRIES):
                service, host, port = await self._launch(instance, {}, program)
                self._stack.push_async_exit(service)
                client = self.client.of(f"http://{host}:{port}")
                if await self._answers(service, client, instance):
                    return Instance(service, client)
                if not self._port_was_taken(service, instance):
                    break
        return None

    async def _launch(
        self, instance: str, changes: Mapping[str, str | None], program: Program | None = None
    ) -> tuple[Service, str, int]:
        origin, *more = self.allowed_origins
        given = self.contract.environment(
            self._given,
            self.upstreams.addresses,
            origin=origin,
            more_origins=more,
            credentials=self.upstreams.credentials,
        )
        return await (program or self._program).start(
            {**given, **self.settings.variables, **changes}, instance=instance, recorder=self.recorder
        )

    async def _answers(self, service: Service, client: Client, instance: str) -> bool:
        deadline = self.recorder.now() + START_SECONDS
        while service.running and self.recorder.now() < deadline:
            if await self._accepts(client.host, client.port) and isinstance(
                await client.request("GET", self.endpoint("alive"), label="start"), Answer
            ):
                self.recorder.record(Ready(instance=instance, address=f"{client.host}:{client.port}"))
                return True
            await service.wait_exit(POLL_SECONDS)
        return False

    async def _accepts(self, host: str, port: int) -> bool:
        with contextlib.suppress(OSError, TimeoutError), self._network.socket() as knocking:
            knocking.setblocking(False)
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.get_running_loop().sock_connect(knocking, (host, port))
            return True
        return False

    async def _serves(self, host: str, port: int) -> bool:
        """Whether a request is answered there, with whatever status."""
        request = f"GET {self.endpoint('alive')} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        with contextlib.suppress(OSError, TimeoutError), self._network.socket() as asking:
            asking.setblocking(False)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(ANSWER_SECONDS):
                await loop.sock_connect(asking, (host, port))
                await loop.sock_sendall(asking, request.encode())
                return (await loop.sock_recv(asking, 16)).startswith(b"HTTP/")
        return False

    def _port_was_taken(self, service: Service, instance: str) -> bool:
        events = self.history.instance(instance).events
        begun = max(position for position, event in enumerate(events) if isinstance(event, Launched))
        return not service.running and any(
            isinstance(event, Log) and control.PORT_TAKEN in event.text.lower() for event in events[begun:]
        )
