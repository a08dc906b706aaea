"""The command `chaos`: faults on a running stack, each with an end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console

from chaos.contract import Contract
from chaos.demo import traffic as load
from chaos.demo import view
from chaos.demo.api import Answer, Api
from chaos.demo.board import Board
from chaos.demo.countdown import Countdown
from chaos.demo.errors import NotThereError, WrongUseError
from chaos.demo.held import Flaky, Freeze, HeldFault, Latency, Outage
from chaos.demo.hold import hold
from chaos.demo.look import Observer
from chaos.demo.model import ScriptedModel, failing
from chaos.demo.options import API, DURATION, FAULTS, MODEL, RATE, ApiUrl, Faults, For, Model, Proxy
from chaos.demo.quantities import spoken
from chaos.demo.run import run
from chaos.demo.service import Service, the_service
from chaos.demo.watch import watch as watch_stack
from chaos.toxiproxy import ControlTimeoutError, NotFoundError, Toxiproxy, UnreachableError

app = typer.Typer(
    name="chaos",
    help="Break a running stack for a while. Every fault ends by itself, or with Ctrl-C.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, markup=False)

SIGNALS = ("TERM", "INT", "HUP", "KILL", "STOP", "CONT")
ENDING = ("TERM", "INT", "KILL")


@app.command()
def latency(
    proxy: Proxy,
    delay: Annotated[float, typer.Argument(metavar="TIME", parser=DURATION, help="Such as 500ms, 5s or 1m.")],
    *,
    seconds: For = 60.0,
    faults: Faults = FAULTS,
    api: ApiUrl = API,
) -> None:
    """Delay every answer of a dependency."""

    async def work() -> None:
        async with _board(faults, api) as board:
            await _hold(Latency(board, proxy, delay), seconds)

    run(work())


@app.command()
def outage(proxy: Proxy, *, seconds: For = 60.0, faults: Faults = FAULTS, api: ApiUrl = API) -> None:
    """Make a dependency refuse connections, and cut the open ones."""

    async def work() -> None:
        async with _board(faults, api) as board:
            await _hold(Outage(board, proxy), seconds)

    run(work())


@app.command()
def flaky(
    target: Annotated[str, typer.Argument(metavar="litellm", help="The model. Nothing else can be flaky.")],
    *,
    count: Annotated[int, typer.Option("--fail", min=1, help="Number of calls that fail.")] = 2,
    seconds: For = 60.0,
    faults: Faults = FAULTS,
    api: ApiUrl = API,
    model: Model = MODEL,
) -> None:
    """Make the next calls to the model fail with 503."""

    async def work() -> None:
        if target != "litellm":
            raise WrongUseError(f"'{target}' cannot be flaky, only litellm can; try `chaos outage {target}`.")
        async with _board(faults, api), ScriptedModel(model) as scripted:
            await _hold(Flaky(scripted, count), seconds)

    run(work())


@app.command()
def signal(
    target: Annotated[str, typer.Argument(metavar="api", help="The service. Nothing else gets signals.")],
    name: Annotated[str, typer.Argument(metavar="SIGNAL", help=f"{', '.join(SIGNALS)}.")],
    *,
    seconds: For = 60.0,
    faults: Faults = FAULTS,
    api: ApiUrl = API,
) -> None:
    """Send the service a signal.

    STOP is taken back by CONT. After TERM, INT and KILL the command waits for the service's end; a stack is started
    again with `grading up`.
    """

    async def work() -> None:
        signal_name = name.upper().removeprefix("SIG")
        if target != "api":
            raise WrongUseError(f"'{target}' gets no signals, only api does; try `chaos outage {target}`.")
        if signal_name not in SIGNALS:
            raise WrongUseError(f"'{name}' is not one of the signals {', '.join(SIGNALS)}.")
        async with _board(faults, api) as board:
            service = await the_service(api)
            if signal_name == "STOP":
                proxies = sorted(await board.toxiproxy.proxies())
                if not proxies:
                    raise NotThereError("The fault proxy has no proxies; start a stack with `grading up`.")
                await _hold(Freeze(board, proxies[0], service), seconds)
                return
            began = time.monotonic()
            await service.signal(signal_name)
            out.print(f"SIG{signal_name} sent to {service.name}.")
            if signal_name in ENDING:
                await _see_end(service, began, seconds)

    run(work())


@app.command()
def heal(*, faults: Faults = FAULTS, api: ApiUrl = API, model: Model = MODEL) -> None:
    """End all faults, also those of other people."""

    async def work() -> None:
        async with _board(faults, api) as board, ScriptedModel(model) as scripted:
            found = [fault.text for fault in await board.heal_all()]
            with contextlib.suppress(NotThereError):
                if left := await scripted.left():
                    found.append(failing(left))
                await scripted.heal()
            out.print(f"Healed: {', '.join(found)}." if found else "There was no fault.", soft_wrap=True)

    run(work())


@app.command()
def status(ctx: typer.Context, *, faults: Faults = FAULTS, api: ApiUrl = API, model: Model = MODEL) -> None:
    """Show all faults and what the service says about its health."""

    async def work() -> None:
        async with _observer(faults, api, model, ctx.obj) as observer:
            seen = await observer.look()
            for fault in seen.faults or ["There is no fault."]:
                out.print(fault, soft_wrap=True)
            out.print("  ".join(view.states(seen.health)), soft_wrap=True)

    run(work())


@app.command()
def watch(ctx: typer.Context, *, faults: Faults = FAULTS, api: ApiUrl = API, model: Model = MODEL) -> None:
    """Show answers, times, breaker, dependencies and faults until Ctrl-C. In a pipe: one line per second."""

    async def work() -> None:
        async with _observer(faults, api, model, ctx.obj) as observer:
            await watch_stack(observer, out)

    run(work())


@app.command()
def traffic(
    ctx: typer.Context,
    *,
    per_second: Annotated[
        float,
        typer.Option("--rate", metavar="RATE", parser=RATE, show_default="2/s", help="Such as 2/s or 30/m."),
    ] = 2.0,
    seconds: Annotated[
        float, typer.Option("--for", metavar="TIME", parser=DURATION, show_default="5m", help="Duration.")
    ] = 300.0,
    faults: Faults = FAULTS,
    api: ApiUrl = API,
) -> None:
    """Ask the model something new again and again. Print a line for each answer."""
    answers: list[Answer] = []

    def see(answer: Answer) -> None:
        answers.append(answer)
        out.print(f"{datetime.now().astimezone():%H:%M:%S}  {load.line(answer)}", soft_wrap=True)

    async def work() -> None:
        async with _board(faults, api), Api(api, ctx.obj) as service:
            await service.log_in()
            try:
                await load.traffic(service, per_second, seconds, see)
            finally:
                out.print(load.summary(answers), soft_wrap=True)

    run(work())


def main(contract: Contract) -> None:
    """Run the command line for stacks whose service has this contract."""
    app(obj=contract)


@contextlib.asynccontextmanager
async def _board(faults: str, api: str) -> AsyncIterator[Board]:
    """The faults of a stack that is up, without what a killed command has left; raises NotThereError."""
    async with Toxiproxy(faults) as toxiproxy:
        board = Board(toxiproxy, api)
        try:
            overdue = await board.heal_overdue()
        except UnreachableError:
            raise NotThereError(
                f"No fault proxy answers at {faults}: start a stack with `grading up`,"
                " or say where it is with --faults."
            ) from None
        except (NotFoundError, ValidationError):
            raise NotThereError(
                f"What answers at {faults} is no Toxiproxy; say where one is with --faults."
            ) from None
        for fault in overdue:
            out.print(f"Healed, for its time was over: {fault.text}.", soft_wrap=True)
        yield board


@contextlib.asynccontextmanager
async def _observer(faults: str, api: str, model: str, contract: Contract) -> AsyncIterator[Observer]:
    async with (
        _board(faults, api) as board,
        ScriptedModel(model) as scripted,
        httpx.AsyncClient(base_url=api, trust_env=False) as http,
    ):
        yield Observer(http, board, scripted, contract)


async def _hold(fault: HeldFault, seconds: float) -> None:
    """Hold a fault, and say so as soon as it is there; on a terminal with the seconds that are left."""
    try:
        with Countdown(out, fault.text) as countdown:
            ended = await hold(fault, seconds, countdown.show)
    except asyncio.CancelledError:
        out.print(f"Healed: {fault.text}.", soft_wrap=True)
        raise
    except ControlTimeoutError:
        raise
    except UnreachableError:
        ended = "The fault proxy is gone, and the fault with it."
    out.print(ended, soft_wrap=True)


async def _see_end(service: Service, began: float, seconds: float) -> None:
    """Wait for the end of a service, and say how long it took."""
    try:
        async with asyncio.timeout(seconds):
            await service.gone()
    except TimeoutError:
        out.print(f"It is still there after {spoken(seconds)}.")
    else:
        out.print(f"It ended after {time.monotonic() - began:.1f} s.")
