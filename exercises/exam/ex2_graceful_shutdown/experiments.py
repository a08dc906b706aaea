"""The experiments of exercise 2: SIGTERM with requests in flight, with ones that never end, without MLflow, and idle."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from chaos.history import Connection
from chaos.llm import Answer, Hang
from chaos.raw_connection import RawConnection
from exercises.exam.ex2_graceful_shutdown.times import (
    EXIT_PATIENCE,
    EXIT_SECONDS,
    LET_GO_PATIENCE,
)
from exercises.exam.promises import PATIENCE_SECONDS
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["drain", "idle", "mlflow_hanging", "mlflow_refused", "stuck"]

MODEL_SECONDS = (2.0, 3.0, 5.0)
ARRIVAL_PATIENCE = 10.0
FOLLOWERS_PATIENCE = 1.0
KNOCK_EVERY = 0.1
KNOCK_AT_LEAST = 2.5
KNOCK_PATIENCE = 5.0
IDLE_REQUEST_AFTER = 1.5
HALF_ARRIVES_IN = 0.5
SETTLES_IN = 2.0
RELEASE_PATIENCE = 3.0
TRACE_PATIENCE = 2.0
POLL_SECONDS = 0.05


@experiment(seconds=8)
async def drain(lab: Lab) -> None:
    """Requests are in flight, another connection is idle, and more is asked after SIGTERM."""
    served = lab.key()
    await lab.generate(served, label="served", timeout=ARRIVAL_PATIENCE)
    idle_connection = await RawConnection.open(lab.client, "idle")
    with contextlib.closing(idle_connection):
        idle_connection.send("GET", lab.endpoint("alive"))
        await idle_connection.answer(KNOCK_PATIENCE)
        lab.phase("fault")
        keys = {lab.key(): seconds for seconds in MODEL_SECONDS}
        async with asyncio.TaskGroup() as group:
            in_flight = [group.create_task(_slow(lab, key, seconds)) for key, seconds in keys.items()]
            await _arrive(lab, list(keys))
            lab.service.signal("TERM")
            group.create_task(_knock(lab, in_flight))
            group.create_task(_ask_idle(lab, idle_connection))
        await lab.service.wait_exit(EXIT_PATIENCE)
    await _look_after(lab, [lab.control_key, served, *keys])


@experiment(seconds=EXIT_SECONDS)
async def stuck(lab: Lab) -> None:
    """At SIGTERM one request hangs at the model, and of another one the second half of the body never comes."""
    hung = await RawConnection.open(lab.client, "hung")
    half_sent = await RawConnection.open(lab.client, "half-sent")
    with contextlib.closing(hung), contextlib.closing(half_sent):
        lab.phase("fault")
        key = lab.key()
        lab.llm.script(key, Hang())
        _post(lab, hung, key)
        _post(lab, half_sent, lab.key(), share=0.5)
        with contextlib.suppress(TimeoutError):
            await lab.llm.wait_for_calls(1, key=key, timeout=ARRIVAL_PATIENCE)
        await asyncio.sleep(HALF_ARRIVES_IN)
        lab.service.signal("TERM")
        if not await lab.service.wait_exit(EXIT_PATIENCE):
            await _release(lab, half_sent, hung)
    await _look_after(lab, [lab.control_key])


@experiment(seconds=EXIT_SECONDS)
async def mlflow_refused(lab: Lab) -> None:
    """MLflow refuses connections when a trace is due and SIGTERM comes."""
    await _stop_without_mlflow(lab, lab.upstreams.outage)


@experiment(seconds=EXIT_SECONDS)
async def mlflow_hanging(lab: Lab) -> None:
    """MLflow takes what it is sent and never answers when a trace is due and SIGTERM comes."""
    await _stop_without_mlflow(lab, lab.upstreams.hang)


@experiment(seconds=4)
async def idle(lab: Lab) -> None:
    """SIGTERM comes when nothing is under way."""
    await asyncio.sleep(SETTLES_IN)  # what a service puts off until after its start is not idling
    lab.phase("fault")
    lab.service.signal("TERM")
    await lab.service.wait_exit(EXIT_PATIENCE)
    await _look_after(lab, [lab.control_key])


async def _slow(lab: Lab, key: str, seconds: float) -> None:
    lab.llm.script(key, Answer(delay=seconds))
    await lab.generate(key, label="in-flight", timeout=PATIENCE_SECONDS)


async def _arrive(lab: Lab, keys: Sequence[str]) -> None:
    """Wait until the model has the requests; a service that serves one at a time is not waited for."""
    before = len(lab.llm.calls())
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(before + 1, timeout=ARRIVAL_PATIENCE)
        for key in keys:
            await lab.llm.wait_for_calls(1, key=key, timeout=FOLLOWERS_PATIENCE)


async def _knock(lab: Lab, in_flight: Sequence[asyncio.Task[None]]) -> None:
    """Ask for new work, each time on a new connection, while requests are in flight and a little longer."""
    started = lab.recorder.now()
    last = started + max(MODEL_SECONDS)
    async with asyncio.TaskGroup() as group:
        while (now := lab.recorder.now()) < started + KNOCK_AT_LEAST or (
            now < last and not all(task.done() for task in in_flight)
        ):
            group.create_task(_knock_once(lab))
            await asyncio.sleep(KNOCK_EVERY)


async def _knock_once(lab: Lab) -> None:
    await lab.generate(label="knock", timeout=KNOCK_PATIENCE)


async def _ask_idle(lab: Lab, connection: RawConnection) -> None:
    """Ask for new work on the connection that was idle, unless the service has closed it by then."""
    if await connection.wait_end(IDLE_REQUEST_AFTER) is None:
        _post(lab, connection, lab.key())
        await connection.answer(KNOCK_PATIENCE)


def _post(lab: Lab, connection: RawConnection, key: str, *, share: float = 1.0) -> None:
    """Send a prompt, or a share of its body, on a connection that stays open."""
    body = json.dumps(lab.ask_body(key)).encode()
    connection.send(
        "POST",
        lab.ask_path,
        body=body,
        upto=None if share == 1.0 else int(share * len(body)),
        headers={"content-type": "application/json"},
        token=lab.token,
        key=key,
    )


async def _release(lab: Lab, *held: RawConnection) -> None:
    """Hang up one connection after the other until the service exits, to see which one kept it."""
    for connection in held:
        if connection.ended.done():
            continue
        connection.close()
        if await lab.service.wait_exit(RELEASE_PATIENCE):
            return


async def _stop_without_mlflow(lab: Lab, fault: Callable[[Literal["mlflow"]], Awaitable[None]]) -> None:
    lab.phase("fault")
    await fault("mlflow")
    key = lab.key()
    asking = asyncio.create_task(lab.generate(key, label="served", timeout=PATIENCE_SECONDS))
    await asyncio.wait([asking], timeout=ARRIVAL_PATIENCE)
    lab.service.signal("TERM")
    await lab.service.wait_exit(EXIT_PATIENCE)
    asking.cancel()
    await asyncio.wait([asking])
    await _look_after(lab, [lab.control_key, key])


async def _look_after(lab: Lab, keys: Sequence[str]) -> None:
    """See what the service has left behind: open connections at its upstreams, and traces."""
    if not lab.service.running:
        await _connections_end(lab)
    await lab.wait_for_traces(keys, seconds=TRACE_PATIENCE)
    await lab.find_traces(keys, seconds=0)


async def _connections_end(lab: Lab) -> None:
    deadline = lab.recorder.now() + LET_GO_PATIENCE
    while lab.recorder.now() < deadline:
        events = lab.history.of(Connection)
        opened = sum(event.state == "opened" for event in events)
        if len(events) == 2 * opened:
            return
        await asyncio.sleep(POLL_SECONDS)
