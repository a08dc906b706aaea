"""The experiments of exercise 4: failures that pass, failures that stay, and those that are nobody's to retry."""

import asyncio
import functools
import json

from chaos.history import Answer as Answered
from chaos.llm import Answer, Status
from exercises.exam.ex4_errors_and_retry import mlflow_faults
from exercises.exam.ex4_errors_and_retry.axes import (
    BODIES,
    BROKEN,
    BUSY,
    CLIENT_ERRORS,
    CLIENT_ROUNDS,
    LASTING,
    MALFORMED,
    MLFLOW_FAULTS,
    ORDERS,
    RATE_LIMITS,
    TIMES,
    TRANSIENT,
)
from exercises.exam.ex4_errors_and_retry.callers import Callers
from exercises.exam.ex4_errors_and_retry.cases import Case, healthy, run
from exercises.exam.ex4_errors_and_retry.own_errors import OWN_ERRORS, Wrong, path_of
from exercises.exam.hanging import hang
from lab.experiment import experiment
from lab.lab import Lab
from lab.traces import kept

__all__ = ["hang", "mlflow_down", "refusals", "transient"]

REFUSED_SECONDS = 0.25
"""How long connections are refused: no retries with a pause worth the name all fall into it."""
REFUSED_TRIES = 3
LASTING_OUTAGE_REQUESTS = 3
RELIEF = 2

FAULT_SECONDS = 3.0
LAST_FAULT_SECONDS = 8.0
"""How long a fault of MLflow's lasts at most, unless all traces are kept before."""
BASELINE_REQUESTS = 3
DELIVERY_SECONDS = 40.0
EXIT_SECONDS = 35.0
REQUESTS_IN_SEQUENCE = 4
REQUESTS_AT_ONCE = 12
MLFLOW_PATIENCE = 10.0


@experiment(seconds=12)
async def transient(lab: Lab) -> None:
    """The model fails once, twice, three times or for good, in every way; then its connections are refused a moment."""
    callers = await Callers.log_in(lab)
    address = lab.upstreams.url(lab.contract.model)
    lab.phase("fault")
    cases = [
        Case(f"{kind} {times}", [*[failing(address)] * count, Answer()])
        for kind, failing, times, count in lab.pairs(TRANSIENT, TIMES)
        if failing
    ]
    cases += [
        Case(f"lasting {kind}", [failing(address)], outlasts=True) for kind, failing in lab.vary(LASTING)
    ]
    cases += [
        Case(f"{kind} three times", [*[BROKEN[kind](address)] * 3, Answer()], outlasts=True)
        for kind in ("500", "503")
    ]
    await run(lab, callers, cases, relief=RELIEF)
    for _ in range(REFUSED_TRIES):
        end = await _refused_for_a_moment(lab, callers)
        if isinstance(end, Answered) and end.status == 200:
            break


@experiment(seconds=16)
async def refusals(lab: Lab) -> None:
    """The model refuses, answers rubbish and sets rate limits; requests are wrong; at last nothing can be reached."""
    callers = await Callers.log_in(lab)
    model = lab.contract.model
    address = lab.upstreams.url(model)
    lab.phase("fault")
    cases = [
        Case(f"model-{code}", [body(code, address)], apart=False)
        for _ in range(CLIENT_ROUNDS)
        for _, code, _, body in lab.pairs(CLIENT_ERRORS, BODIES)
    ]
    cases.append(Case("400 after a 503", [Status(503), Status(400)], outlasts=True))
    cases += [Case(f"malformed: {name}", [failing(address)]) for name, failing in lab.vary(MALFORMED)]
    cases += [
        Case(f"rate limit: {name}", steps(address), outlasts=name == BUSY)
        for name, steps in lab.vary(RATE_LIMITS)
    ]
    await run(lab, callers, cases)
    for name, make in lab.vary(OWN_ERRORS):
        await _ask_wrongly(lab, make(lab), f"wrong: {name}")
    await healthy(callers)
    down = [upstream for upstream in (model, "qdrant") if upstream in lab.contract.upstreams]
    await asyncio.gather(*map(lab.upstreams.outage, down))
    await asyncio.gather(
        *(callers.ask(label="lasting refused") for _ in range(LASTING_OUTAGE_REQUESTS)),
        lab.get(path_of(lab, "cache_stats"), label="no cache", token=lab.token),
        lab.client.request("DELETE", path_of(lab, "cache_clear"), label="no cache", token=lab.token),
    )
    await asyncio.gather(*map(lab.upstreams.heal, down))


@experiment(seconds=12)
async def mlflow_down(lab: Lab) -> None:
    """MLflow refuses connections, hangs, is slow and fails, one after the other; later it is back."""
    callers = await Callers.log_in(lab)
    for _ in range(BASELINE_REQUESTS):
        await callers.ask(label="baseline")
    lab.phase("fault")
    keys: list[str] = []
    faults = list(lab.vary(MLFLOW_FAULTS))
    for fault, _ in faults:
        async with mlflow_faults.on(lab, fault):
            fresh = await _ask_untraced(lab, callers, fault)
            last = len(keys) + len(fresh) == len(faults) * len(fresh)
            await lab.find_traces(fresh, seconds=LAST_FAULT_SECONDS if last else FAULT_SECONDS)
        keys += fresh
    lab.phase("recovery")
    await _await_traces(lab, keys)
    if any(kept(lab.history, key) is None for key in keys):
        lab.service.signal("TERM")
        await lab.service.wait_exit(EXIT_SECONDS)
        await lab.find_traces(keys, seconds=0)


async def _await_traces(lab: Lab, keys: list[str]) -> None:
    """Wait until every prompt has its trace, in MLflow or in a file, or time is up."""
    looking = [
        asyncio.create_task(look(keys, seconds=DELIVERY_SECONDS))
        for look in (lab.find_traces, lab.wait_for_traces)
    ]
    try:
        await asyncio.wait(looking, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def _ask_untraced(lab: Lab, callers: Callers, fault: str) -> list[str]:
    """Ask in sequence and at once; the keys of the prompts."""
    keys: list[str] = []
    for order, at_once in lab.vary(ORDERS):
        fresh = [lab.key() for _ in range(REQUESTS_AT_ONCE if at_once else REQUESTS_IN_SEQUENCE)]
        asking = [
            functools.partial(callers.ask, key, label=f"mlflow {fault}, {order}", timeout=MLFLOW_PATIENCE)
            for key in fresh
        ]
        if at_once:
            await asyncio.gather(*(ask() for ask in asking))
        else:
            for ask in asking:
                await ask()
        keys += fresh
    return keys


async def _refused_for_a_moment(lab: Lab, callers: Callers) -> object:
    """Have a request meet refused connections, which are over before it may have tried for the last time."""
    model = lab.contract.model
    await lab.upstreams.outage(model)
    asking = asyncio.create_task(callers.ask(label="refused once"))
    await asyncio.wait({asking}, timeout=REFUSED_SECONDS)
    await lab.upstreams.heal(model)
    end = await asking
    await healthy(callers)
    return end


async def _ask_wrongly(lab: Lab, wrong: Wrong, label: str) -> None:
    body = wrong.body if wrong.content is None else json.dumps(wrong.content).encode()
    headers = {"content-type": "application/json"} if wrong.content is not None else wrong.headers
    await lab.client.request(
        wrong.method, wrong.path, label=label, body=body, headers=headers, token=wrong.token
    )
