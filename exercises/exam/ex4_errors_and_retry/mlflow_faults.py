"""What is wrong with MLflow for a while, with requests that are answered all the same and whose traces are kept."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence

from chaos.history import Call, Failure
from chaos.llm import Answer
from exercises.exam.ex4_errors_and_retry.axes import MLFLOW_FAULTS, ORDERS
from exercises.exam.ex4_errors_and_retry.callers import Callers
from exercises.exam.ex4_errors_and_retry.cases import is_served
from lab.axes import plain
from lab.lab import Lab
from lab.prompts import long_answer
from lab.traces import kept

MLFLOW = "mlflow"
LATENCY_SECONDS = 5.0
"""Longer than an answer may come later than usual."""
BASELINE_REQUESTS = 3
REQUESTS_IN_SEQUENCE = 3
REQUESTS_AT_ONCE = 12
HANGING_ROUNDS = 4
"""A request may leave a thread behind that waits for MLflow; after so many rounds a usual pool has no more (40)."""
PATIENCE = 10.0
FAULT_SECONDS = 3.0
LAST_FAULT_SECONDS = 8.0
"""How long a fault lasts at most, unless all traces are kept before."""
REST_SECONDS = 12.0
"""How long a service may leave MLflow alone after a failure, before it meets the next fault."""
DELIVERY_SECONDS = 40.0
EXIT_SECONDS = 35.0


@contextlib.asynccontextmanager
async def on(lab: Lab, fault: str) -> AsyncIterator[None]:
    """Have one of the faults of MLflow's within the context."""
    match fault:
        case "refused":
            await lab.upstreams.outage(MLFLOW)
        case "hanging":
            await lab.upstreams.hang(MLFLOW)
        case "slow":
            await lab.upstreams.latency(MLFLOW, LATENCY_SECONDS)
        case _:
            await lab.upstreams.status(MLFLOW, 500)
    yield
    await lab.upstreams.heal(MLFLOW)


async def ask_usually(callers: Callers) -> None:
    """Ask while nothing is wrong, to see how long an answer usually takes."""
    for _ in range(BASELINE_REQUESTS):
        await callers.ask(label="baseline")


async def ask_in_trouble(lab: Lab, callers: Callers, faults: Sequence[str]) -> list[str]:
    """Ask under faults of MLflow's, one after the other; return the keys of the prompts that were answered."""
    keys: list[str] = []
    for number, (fault, _) in enumerate(lab.vary(plain(MLFLOW_FAULTS.name, faults)), start=1):
        async with on(lab, fault):
            fresh = await _ask(lab, callers, fault)
            seconds = LAST_FAULT_SECONDS if number == len(faults) else FAULT_SECONDS
            await lab.find_traces(fresh, seconds=seconds)
        keys += fresh
        if number < len(faults):
            await _until_called(lab, callers)
    return keys


async def await_traces(lab: Lab, keys: Sequence[str]) -> None:
    """Wait until every prompt has its trace, in MLflow or in a file; if time is up, stop the service and look again."""
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
    history = lab.history
    if any(kept(history, key) is None for key in keys):
        lab.service.signal("TERM")
        await lab.service.wait_exit(EXIT_SECONDS)
        await lab.find_traces(keys, seconds=0)


async def _ask(lab: Lab, callers: Callers, fault: str) -> list[str]:
    """Ask in sequence and at once; where many at once leave something behind, those in sequence meet it.

    A service that leaves a request without an answer waits for MLflow: it is asked no more.
    """
    keys: list[str] = []
    orders = list(lab.vary(ORDERS))
    if fault == "hanging":
        orders.sort(key=lambda one: not one[1])
        orders[:1] *= HANGING_ROUNDS
    for order, at_once in orders:
        ask = functools.partial(callers.ask, label=f"mlflow {fault}, {order}", long=True, timeout=PATIENCE)
        batches = [REQUESTS_AT_ONCE] if at_once else [1] * REQUESTS_IN_SEQUENCE
        for count in batches:
            fresh = [lab.key() for _ in range(count)]
            for key in fresh:
                lab.llm.script(key, Answer(content=long_answer(key)))
            ends = await asyncio.gather(*map(ask, fresh))
            keys += [key for key, end in zip(fresh, ends, strict=True) if is_served(end)]
            if any(isinstance(end, Failure) for end in ends):
                return keys
    return keys


async def _until_called(lab: Lab, callers: Callers) -> None:
    """Ask until MLflow, which is back, is called again."""
    seen = _calls(lab)
    deadline = lab.recorder.now() + REST_SECONDS
    while _calls(lab) == seen and lab.recorder.now() < deadline:
        await callers.ask(label="healthy")
        await asyncio.sleep(0.5)


def _calls(lab: Lab) -> int:
    return sum(call.upstream == MLFLOW and call.counted for call in lab.history.of(Call))
