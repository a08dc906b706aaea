"""The experiments of exercise 2: SIGTERM with requests in flight, with what never ends, without MLflow, and idle."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from chaos.history import Connection, Tried
from chaos.llm import Answer, Drip, Hang, Status
from chaos.raw_connection import RawConnection
from exercises.exam.ex2_graceful_shutdown.axes import (
    AT_ONCE,
    ATTEMPTS,
    BODIES,
    CONNECTIONS,
    HANGING,
    LEFT,
    LENGTHS,
    MOMENTS,
    SITUATIONS,
    UPSTREAMS,
    WORK,
)
from exercises.exam.ex2_graceful_shutdown.times import (
    EXIT_PATIENCE,
    EXIT_SECONDS,
    LET_GO_PATIENCE,
)
from exercises.exam.ex2_graceful_shutdown.work import work
from exercises.exam.promises import PATIENCE_SECONDS
from lab.axes import Axis
from lab.experiment import experiment
from lab.lab import Lab
from lab.prompts import long_answer

__all__ = ["drain", "idle", "mlflow_dripping", "mlflow_hanging", "mlflow_refused", "stuck"]

LONGEST = max(LENGTHS.values.values())
ARRIVAL_PATIENCE = 10.0
FOLLOWERS_PATIENCE = 1.0
SERVED = 3
PENDING = 20
"""So many traces are due at SIGTERM: one after the other, each with a time-out of its own, they exceed any bound."""
DRIPPING = 4
"""So many traces are due where one is enough to hang on."""
TRACED_LATE = 2
"""So many more become due while the service stops, `TRACED_LATE_AFTER` seconds after SIGTERM."""
TRACED_LATE_AFTER = 2.0
KNOCKS = 6
KNOCK_EVERY = 0.15
KNOCK_PATIENCE = 5.0
LONGEST_BODY = max(BODIES.values.values())
BODY_MARGIN = 1.0
"""What is half sent at SIGTERM has been so for `HALF_ARRIVES_IN`; a service that waits so long at all has to take it."""
FAREWELL_SECONDS = 0.3
"""A server that closes a connection after an answer has done so by then."""
HALF_ARRIVES_IN = 0.5
DRIP_SECONDS = 0.5
TRICKLE_SECONDS = 1.0
ON_QDRANT = "the cache's numbers"
"""What hangs with Qdrant, and nothing else with it."""
SLOW_SECONDS = 6.0
LEAVES_AFTER = 0.3
"""Seconds after which a caller hangs up that the model would have answered after `ANSWERED_AFTER`."""
ANSWERED_AFTER = 1.0
RELEASE_PATIENCE = 2.0
TRACE_PATIENCE = 2.0
POLL_SECONDS = 0.05


@experiment(seconds=LONGEST + 2)
async def drain(lab: Lab) -> None:
    """Requests are in flight, in the middle of their bodies or between two attempts, and more is asked after SIGTERM."""
    _say(lab, SITUATIONS, "requests in flight")
    _say(lab, UPSTREAMS, "all up")
    await _serve(lab, SERVED)
    async with contextlib.AsyncExitStack() as held:
        kept = {name: [await _hold(lab, held, name) for _ in MOMENTS.values] for name in ("idle", "unused")}
        for connection in kept["idle"]:
            connection.send("GET", lab.endpoint("alive"))
            await connection.answer(KNOCK_PATIENCE)
        bodies = [(kind, await _hold(lab, held, _body_label(kind))) for kind, _ in lab.vary(BODIES)]
        reused = await _hold(lab, held, "in-flight")
        lab.phase("fault")
        async with asyncio.TaskGroup() as group:
            await _begin(lab, group, reused, bodies)
            lab.service.signal("TERM")
            for kind, connection in bodies:
                group.create_task(_finish(connection, BODIES.values[kind]))
            group.create_task(_ask_again(lab, reused))
            kinds = [kind for kind, _ in lab.vary(WORK)]
            _say(lab, CONNECTIONS, *CONNECTIONS.values)
            for place, (_, seconds) in enumerate(lab.vary(MOMENTS)):
                asked = kinds[place:] + kinds[:place]
                connections = [kept["idle"][place], kept["unused"][place]]
                group.create_task(_ask_at(lab, seconds, asked, connections))
        await lab.service.wait_exit(EXIT_PATIENCE)
    await _look_after(lab)


@experiment(seconds=EXIT_SECONDS)
async def stuck(lab: Lab) -> None:
    """At SIGTERM the model hangs or drips, heads and bodies stop midway, MLflow is slow and Qdrant hangs."""
    _say(lab, SITUATIONS, "something hangs")
    _say(lab, UPSTREAMS, "MLflow slow", "Qdrant hanging")
    async with contextlib.AsyncExitStack() as held:
        lab.phase("fault")
        await lab.upstreams.latency("mlflow", SLOW_SECONDS)
        serving = asyncio.create_task(_serve(lab, PENDING))
        await asyncio.wait([serving], timeout=ARRIVAL_PATIENCE)
        silent = lab.key()
        kinds = [kind for kind, _ in lab.vary(HANGING)]
        connections = [await _stick(lab, held, kind, silent) for kind in kinds if kind != ON_QDRANT]
        trickling = asyncio.create_task(_trickle(connections))
        with contextlib.suppress(TimeoutError):
            await lab.llm.wait_for_calls(1, key=silent, timeout=ARRIVAL_PATIENCE)
        await asyncio.sleep(HALF_ARRIVES_IN)
        await lab.upstreams.hang("qdrant")
        connections.append(await _stick(lab, held, ON_QDRANT, silent))
        # What was sent before has begun when this is answered.
        await lab.get(lab.endpoint("alive"), label="alive", timeout=KNOCK_PATIENCE)
        await asyncio.sleep(HALF_ARRIVES_IN)
        lab.service.signal("TERM")
        if not await lab.service.wait_exit(EXIT_PATIENCE):
            await _release(lab, connections)
        await _give_up(serving, trickling)
    await _look_after(lab)


@experiment(seconds=EXIT_SECONDS)
async def mlflow_refused(lab: Lab) -> None:
    """MLflow refuses connections when many traces are due and SIGTERM comes."""
    _say(lab, UPSTREAMS, "MLflow refusing connections")
    await _stop_without_mlflow(lab, lab.upstreams.outage)


@experiment(seconds=EXIT_SECONDS)
async def mlflow_hanging(lab: Lab) -> None:
    """MLflow takes what it is sent and never answers when many traces are due and SIGTERM comes."""
    _say(lab, UPSTREAMS, "MLflow hanging")
    await _stop_without_mlflow(lab, lab.upstreams.hang)


@experiment(seconds=EXIT_SECONDS)
async def mlflow_dripping(lab: Lab) -> None:
    """MLflow answers byte by byte, without end, when traces are due and SIGTERM comes."""
    _say(lab, UPSTREAMS, "MLflow dripping")
    await _stop_without_mlflow(lab, lab.upstreams.drip, pending=DRIPPING)


@experiment(seconds=LONGEST + 2)
async def idle(lab: Lab) -> None:
    """The model takes its time or fails first, a body too, and callers leave; SIGTERM comes when nothing is under way."""
    _say(lab, SITUATIONS, "nothing under way")
    async with contextlib.AsyncExitStack() as held:
        connection = await _hold(lab, held, "idle")
        async with asyncio.TaskGroup() as group:
            group.create_task(_slow(lab, LONGEST, label="patient"))
            group.create_task(_retried(lab, label="patient-retried"))
            group.create_task(_send_slowly(lab))
            group.create_task(_leave(lab))
        connection.send("GET", lab.endpoint("alive"))
        await connection.answer(KNOCK_PATIENCE)
        lab.phase("fault")
        lab.service.signal("TERM")
        await lab.service.wait_exit(EXIT_PATIENCE)
    await _look_after(lab)


# Requests that are under way at SIGTERM.


async def _begin(
    lab: Lab,
    group: asyncio.TaskGroup,
    reused: RawConnection,
    bodies: Sequence[tuple[str, RawConnection]],
) -> None:
    """Start what is to be in flight, the longest first, and wait until it is."""
    keys = []
    lengths = sorted(lab.vary(LENGTHS), key=lambda one: -one[1])
    for name, seconds in lengths:
        for _ in range(AT_ONCE[name]):
            keys.append(lab.key())
            label = "in-flight-long" if seconds == LONGEST else "in-flight"
            group.create_task(_slow(lab, seconds + HALF_ARRIVES_IN, keys[-1], label=label))
    keys.append(lab.key())
    lab.llm.script(keys[-1], Answer(delay=LENGTHS.values["6 s"] + HALF_ARRIVES_IN))
    work(lab, "a prompt", key=keys[-1]).send(reused)
    await _arrive(lab, keys)
    for kind, connection in bodies:
        work(lab, kind).send(connection, share=0.5)
    await asyncio.sleep(HALF_ARRIVES_IN)
    _say(lab, ATTEMPTS, *ATTEMPTS.values)
    retried = lab.key()
    group.create_task(_retried(lab, retried, label="in-flight-retried"))
    await _arrive(lab, [retried])


async def _slow(lab: Lab, seconds: float, key: str | None = None, *, label: str) -> None:
    key = key or lab.key()
    lab.llm.script(key, Answer(delay=seconds))
    await lab.generate(key, label=label, timeout=PATIENCE_SECONDS)


async def _retried(lab: Lab, key: str | None = None, *, label: str) -> None:
    """Ask for what the model answers at the second attempt: after a pause."""
    key = key or lab.key()
    lab.llm.script(key, Status(503), Answer())
    await lab.generate(key, label=label, timeout=PATIENCE_SECONDS)


async def _leave(lab: Lab) -> None:
    """Have callers hang up, one in the middle of a body and one who would have been answered a moment later."""
    _say(lab, LEFT, *LEFT.values)
    with contextlib.closing(await RawConnection.open(lab.client, "left")) as connection:
        work(lab, "a prompt").send(connection, share=0.5)
        await asyncio.sleep(HALF_ARRIVES_IN)
    key = lab.key()
    lab.llm.script(key, Answer(delay=ANSWERED_AFTER))
    await lab.generate(key, label="left", abort_after=LEAVES_AFTER)


async def _arrive(lab: Lab, keys: Sequence[str]) -> None:
    """Wait until the model has the requests; a service that serves one at a time is not waited for."""
    before = len(lab.llm.calls())
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(before + 1, timeout=ARRIVAL_PATIENCE)
        for key in keys:
            await lab.llm.wait_for_calls(1, key=key, timeout=FOLLOWERS_PATIENCE)


async def _finish(connection: RawConnection, seconds: float) -> None:
    """Send the rest of a body that was half sent so many seconds from now."""
    await asyncio.sleep(seconds)
    connection.finish()
    await connection.answer(PATIENCE_SECONDS)


async def _send_slowly(lab: Lab) -> None:
    """Send a prompt in two halves, with nobody told to stop, and as long a pause as at SIGTERM."""
    with contextlib.closing(await RawConnection.open(lab.client, "patient-body")) as connection:
        work(lab, "a prompt").send(connection, share=0.5)
        await _finish(connection, LONGEST_BODY + BODY_MARGIN)


def _body_label(kind: str) -> str:
    return "in-flight-body" if BODIES.values[kind] == LONGEST_BODY else "in-flight"


async def _stick(lab: Lab, held: contextlib.AsyncExitStack, kind: str, silent: str) -> RawConnection:
    """Have something of this kind hang."""
    connection = await _hold(lab, held, kind)
    match kind:
        case "a silent model" | "a dripping model":
            key = silent if kind == "a silent model" else lab.key()
            lab.llm.script(key, Hang() if kind == "a silent model" else Drip(DRIP_SECONDS))
            work(lab, "a prompt", key=key).send(connection)
        case "half a prompt" | "half a login" | "a trickling prompt":
            begun = "a login" if kind == "half a login" else "a prompt"
            work(lab, begun).send(connection, share=0.5)
        case _ if kind == ON_QDRANT:
            work(lab, kind).send(connection)
        case "half a head":
            connection.send_half_a_head("POST", lab.ask_path)
    return connection


async def _trickle(connections: Sequence[RawConnection]) -> None:
    """Send one byte of a body after the other, so slowly that there is always one left."""
    [trickling] = [one for one in connections if one.label == "a trickling prompt"]
    more = True
    while more:
        await asyncio.sleep(TRICKLE_SECONDS)
        more = trickling.send_more(1)


async def _release(lab: Lab, held: Sequence[RawConnection]) -> None:
    """Hang up one connection after the other until the service exits, to see which one kept it."""
    for connection in held:
        if connection.ended.done():
            continue
        connection.close()
        if await lab.service.wait_exit(RELEASE_PATIENCE):
            return


# What is asked after SIGTERM.


async def _ask_at(
    lab: Lab, seconds: float, kinds: Sequence[str], connections: Sequence[RawConnection]
) -> None:
    """Ask for new work so many seconds from now, on new connections and on those that were open before."""
    await asyncio.sleep(seconds)
    async with asyncio.TaskGroup() as group:
        for kind, connection in zip(kinds, connections, strict=False):
            group.create_task(_ask_on(lab, connection, kind))
        for place in range(KNOCKS):
            if not lab.service.running:
                return
            kind = kinds[place % len(kinds)]
            group.create_task(_knock(lab, kind))
            await asyncio.sleep(KNOCK_EVERY)


async def _knock(lab: Lab, kind: str) -> None:
    await work(lab, kind).ask(lab, label="knock", timeout=KNOCK_PATIENCE)


async def _ask_on(lab: Lab, connection: RawConnection, kind: str) -> None:
    """Ask for new work on an open connection, unless the service has closed it by then."""
    if not connection.ended.done():
        work(lab, kind).send(connection)
        await connection.answer(KNOCK_PATIENCE)


async def _ask_again(lab: Lab, connection: RawConnection) -> None:
    """Ask for new work on a connection on which a request has just been served."""
    await connection.answer(PATIENCE_SECONDS)
    if await connection.wait_end(FAREWELL_SECONDS) is None:
        connection.label = "just-served"
        await _ask_on(lab, connection, "a prompt")


# The rest.


def _say(lab: Lab, axis: Axis[object], *values: str) -> None:
    """Record that these values of an axis are tried, which lie in several experiments."""
    for value in values:
        lab.recorder.record(Tried(axis=axis.name, value=value))


async def _hold(lab: Lab, held: contextlib.AsyncExitStack, label: str) -> RawConnection:
    return held.enter_context(contextlib.closing(await RawConnection.open(lab.client, label)))


async def _serve(lab: Lab, count: int) -> None:
    """Have prompts answered by the models in turn, all at once."""
    models = itertools.cycle([lab.model, *lab.other_models])
    async with asyncio.TaskGroup() as group:
        for model in itertools.islice(models, count):
            group.create_task(_ask(lab, model))


async def _ask(lab: Lab, model: str) -> None:
    key = lab.key()
    lab.llm.script(key, Answer(content=long_answer(key)))
    await lab.generate(key, label="served", model=model, long=True, timeout=PATIENCE_SECONDS)


async def _stop_without_mlflow(
    lab: Lab, fault: Callable[[Literal["mlflow"]], Awaitable[None]], *, pending: int = PENDING
) -> None:
    _say(lab, SITUATIONS, "MLflow is broken")
    lab.phase("fault")
    await fault("mlflow")
    serving = asyncio.create_task(_serve(lab, pending))
    await asyncio.wait([serving], timeout=ARRIVAL_PATIENCE)
    keys = [lab.key() for _ in range(TRACED_LATE)]
    late = [asyncio.create_task(_slow(lab, TRACED_LATE_AFTER, key, label="late")) for key in keys]
    await _arrive(lab, keys)
    lab.service.signal("TERM")
    await lab.service.wait_exit(EXIT_PATIENCE)
    await _give_up(serving, *late)
    await _look_after(lab)


async def _give_up(*asking: "asyncio.Task[None]") -> None:
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)


async def _look_after(lab: Lab) -> None:
    """See what the service has left behind: open connections at its upstreams, and traces of what it has answered."""
    if not lab.service.running:
        await _connections_end(lab)
    keys = [one.request.key for one in lab.history.exchanges() if one.request.key and one.status == 200]
    await lab.find_traces(keys, seconds=0)
    await lab.wait_for_traces(keys, seconds=TRACE_PATIENCE)


async def _connections_end(lab: Lab) -> None:
    deadline = lab.recorder.now() + LET_GO_PATIENCE
    while lab.recorder.now() < deadline:
        events = lab.history.of(Connection)
        opened = sum(event.state == "opened" for event in events)
        if len(events) == 2 * opened:
            return
        await asyncio.sleep(POLL_SECONDS)
