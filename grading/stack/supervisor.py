"""The process that owns a stack: `python -m grading.stack.supervisor ORDER`, with an `Order` as JSON.

On stdout it tells whoever asked how it gets on, one JSON object (`News`) a line, until all is up or it has failed.
After that it runs until SIGTERM, or until the service ends.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

import httpx
from pydantic import BaseModel, ConfigDict

from chaos.contract import Contract
from chaos.history import Exited
from chaos.network import LOOPBACK_ADDRESS as HOST
from chaos.postgres import PostgresServer
from chaos.process import Process
from chaos.program import ProcessProgram
from chaos.toxiproxy import ProxySpec, Toxiproxy, ToxiproxyError, command, find_server, wait_until_up
from chaos.upstreams import Server, credentials, make_server
from grading.environment import prepare
from grading.errors import GradingError, MachineError, SubmissionError, UsageError
from grading.processes import base_environment, make_program
from grading.stack import claim, recorders
from grading.stack.claim import Record
from grading.stack.files import StackFiles
from grading.stack.ports import Ports, url
from grading.start import plan
from grading.submission import fetch
from grading.workspace import Workspace, cache_folder
from lab.lab import START_SECONDS
from lab.reading import describe_exit

DRAIN_SECONDS = 40.0
"""How long the service may take after SIGTERM: longer than any assessment allows."""
ORIGIN = "http://localhost:3000"
"""Where a browser application is served in development."""
PROXY_SECONDS = 20.0
POLL_SECONDS = 0.05
PROBE_SECONDS = 5.0

Blame = Literal["usage", "submission", "machine"]


class Order(BaseModel):
    """What to bring up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    folder: Path
    contract: Contract
    ports: Ports


class News(BaseModel):
    """A line of a supervisor's: what it does now, that all is up, or what went wrong and who has to mend it."""

    text: str
    state: Literal["starting", "up", "failed"] = "starting"
    blame: Blame | None = None
    detail: str = ""


class Supervisor:
    """Brings one stack up, watches over it, and takes it down."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._contract = order.contract
        self._ports = order.ports
        self._files = StackFiles(order.folder)
        self._said = self._files.log("stack")
        self._servers: dict[str, Server] = {}

    async def run(self) -> None:
        """Run until the service ends or the task is cancelled; raises GradingError where it cannot be brought up."""
        record = Record(
            pid=os.getpid(),
            repository=self._order.repository,
            contract=self._contract,
            ports=self._ports,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with claim.claimed(self._files.folder, record) as ours:
            if not ours:
                raise UsageError("A stack is up, or coming up, already; see `grading status`.")
            if complaint := self._ports.complaint():
                raise UsageError(complaint)
            self._said.write_text("", encoding="utf-8")
            try:
                await self._serve()
            finally:
                self._files.forget()

    async def _serve(self) -> None:
        with Workspace.open() as workspace:
            program = await self._program(workspace)
            env = base_environment(workspace)
            _tell(News(text="starting the fault proxies and the service"))
            try:
                async with self._upstreams(), self._fault_proxy(env), self._service(program) as service:
                    await self._watch(service)
            except (OSError, ToxiproxyError) as error:
                raise MachineError(f"The stack could not be started: {error}.") from error

    async def _program(self, workspace: Workspace) -> ProcessProgram:
        submission = await fetch(self._order.repository, workspace)
        start = plan(submission, self._contract.start, self._contract.names)
        _tell(News(text="installing its dependencies"))
        venv = await prepare(submission, start, cache_folder(), lambda text: _tell(News(text=text)))
        return await asyncio.to_thread(make_program, submission, start, venv, workspace)

    @contextlib.asynccontextmanager
    async def _upstreams(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            recorder = recorders.calls(stack.enter_context(self._open("calls")))
            postgres = await stack.enter_async_context(contextlib.aclosing(PostgresServer()))
            for name, (_, port) in self._ports.upstreams.items():
                server = make_server(
                    name, self._contract, recorder, port=port, controls=True, postgres=postgres
                )
                await stack.enter_async_context(server)
                self._servers[name] = server
            yield

    @contextlib.asynccontextmanager
    async def _fault_proxy(self, env: Mapping[str, str]) -> AsyncIterator[None]:
        argv = command(self._ports.control, binary=find_server(), host=HOST)
        with self._open("stack") as log:
            process = await Process.start(
                argv,
                cwd=Path("/"),
                env=env,
                recorder=recorders.output(log),
                endless=True,
            )
            async with process:
                try:
                    await wait_until_up(url(self._ports.control), timeout=PROXY_SECONDS)
                except TimeoutError:
                    raise MachineError("The fault proxy did not start; see `grading logs stack`.") from None
                async with Toxiproxy(url(self._ports.control)) as client:
                    await client.populate(
                        ProxySpec(name=name, listen=f"{HOST}:{listen}", upstream=f"{HOST}:{upstream}")
                        for name, (listen, upstream) in self._ports.upstreams.items()
                    )
                yield

    @contextlib.asynccontextmanager
    async def _service(self, program: ProcessProgram) -> AsyncIterator[Process]:
        secrets = self._contract.draw(random.SystemRandom())
        for user in list(self._contract.users.values())[:1]:
            self._files.keep(secrets[user.password])
        with self._open("service") as log:
            service = await Process.start(
                program.argv(HOST, self._ports.service),
                cwd=program.workdir,
                env=self._environment(program, secrets),
                recorder=recorders.output(log),
                endless=True,
            )
            async with service:
                self._files.service_pid.write_text(f"{service.pid}\n", encoding="utf-8")
                await self._answers(service)
                yield service

    def _environment(self, program: ProcessProgram, secrets: Mapping[str, str]) -> dict[str, str]:
        contract = self._contract
        addresses = {name: (HOST, listen) for name, (listen, _) in self._ports.upstreams.items()}
        given = contract.environment(
            contract.given(secrets), addresses, origin=ORIGIN, credentials=credentials(self._servers)
        )
        return {**program.env(HOST, self._ports.service), **given}

    async def _answers(self, service: Process) -> None:
        """Wait until the service answers, with whatever status; raises SubmissionError where it does not."""
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS) as client:
            while service.running and time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    await client.get(url(self._ports.service) + self._contract.endpoints["alive"])
                    return
                await service.wait_exit(POLL_SECONDS)
        exited = await service.wait_exit(0)
        reason = describe_exit(exited) if exited else f"did not answer within {START_SECONDS:.0f} s"
        await service.close()
        raise SubmissionError(
            f"The service {reason}; its last lines:",
            detail=self._files.log("service").read_text(errors="replace"),
        )

    async def _watch(self, service: Process) -> None:
        _tell(News(text="all is up", state="up"))
        try:
            exited = await asyncio.shield(service.exited)
        except asyncio.CancelledError:
            await self._drain(service)
        else:
            self._say(f"The service {_told(exited)} by itself, and the stack is down with it.")

    async def _drain(self, service: Process) -> None:
        """Have the service end as an orchestrator would; upstreams and faults stay until it has."""
        began = time.monotonic()
        service.signal("TERM")
        exited = await service.wait_exit(DRAIN_SECONDS)
        seconds = time.monotonic() - began
        if exited:
            self._say(f"The service {_told(exited)} {seconds:.1f} s after it was told to stop.")
        else:
            self._say(f"The service did not end within {DRAIN_SECONDS:.0f} s of SIGTERM, and was killed.")

    def _say(self, text: str) -> None:
        with self._said.open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def _open(self, name: Literal["service", "calls", "stack"]) -> TextIO:
        return self._files.log(name).open("w" if name != "stack" else "a", encoding="utf-8")


def main() -> int:
    """Exits 0 once the stack was up and is down again, 1 where it did not come up."""
    order = Order.model_validate_json(sys.argv[1])
    try:
        asyncio.run(_until_signalled(Supervisor(order).run()))
    except asyncio.CancelledError:
        return 0
    except GradingError as error:
        _tell(News(text=error.message, state="failed", blame=_blame(error), detail=error.detail))
        return 1
    return 0


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await task


def _blame(error: GradingError) -> Blame:
    if isinstance(error, SubmissionError):
        return "submission"
    return "machine" if isinstance(error, MachineError) else "usage"


def _tell(news: News) -> None:
    # Whoever asked may be gone.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), news.model_dump_json().encode() + b"\n")


def _told(exited: Exited) -> str:
    cause = f" (it {exited.cause})" if exited.cause else ""
    return f"{describe_exit(exited)}{cause}"


if __name__ == "__main__":
    sys.exit(main())
