"""The experiments of exercise 4: failures that pass, failures that stay, and those that are nobody's to retry."""

import asyncio
import json

from chaos.history import Answer as Answered
from chaos.history import Failure
from chaos.llm import Answer, Status
from exercises.exam.ex4_errors_and_retry.axes import (
    BODIES,
    BROKEN,
    BUSY,
    CLIENT_ERRORS,
    CLIENT_ROUNDS,
    INCOMPLETE,
    LASTING,
    LASTING_LIMIT,
    MALFORMED,
    RATE_LIMITS,
    TIMES,
    TRANSIENT,
    status,
)
from exercises.exam.ex4_errors_and_retry.callers import Callers
from exercises.exam.ex4_errors_and_retry.cases import Case, healthy, is_served, recover, run
from exercises.exam.ex4_errors_and_retry.mlflow_faults import ask_in_trouble, ask_usually, await_traces
from exercises.exam.ex4_errors_and_retry.own_errors import OWN_ERRORS, Wrong, path_of
from exercises.exam.hanging import hang
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["hang", "mlflow_down", "refusals", "transient"]

LIMIT_SECONDS = 420.0
"""A breaker may open every few failures, and each time stay open for a minute."""
REFUSED_SECONDS = 0.25
"""How long connections are refused: no retries with a pause worth the name all fall into it."""
REFUSED_TRIES = 3
LASTING_OUTAGE_REQUESTS = 3
"""Fewer than open a breaker before one of them has tried again."""
MORE_REQUESTS = 2
MORE_AFTER_SECONDS = 0.5
"""Enough in all for any breaker, and after the first attempts of the others: the next request meets its own error."""
REJECTION_PATIENCE = 1.0
"""A breaker rejects at once. Without one, the request would take as long as the others."""


@experiment(seconds=12, limit=LIMIT_SECONDS)
async def transient(lab: Lab) -> None:
    """The model fails once, twice, three times or for good, in every way; then its connections are refused a moment."""
    callers = await Callers.log_in(lab)
    address = lab.upstreams.url(lab.contract.model)
    await ask_usually(callers)
    lab.phase("fault")
    untraced = await ask_in_trouble(lab, callers, ["failing"])
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
    await run(lab, callers, cases)
    for _ in range(REFUSED_TRIES):
        end = await _refused_for_a_moment(lab, callers)
        if is_served(end):
            break
    await await_traces(lab, untraced)


@experiment(seconds=16, limit=LIMIT_SECONDS)
async def refusals(lab: Lab) -> None:
    """The model refuses, answers rubbish and sets rate limits; requests are wrong; at last nothing can be reached."""
    callers = await Callers.log_in(lab)
    model = lab.contract.model
    address = lab.upstreams.url(model)
    await ask_usually(callers)
    lab.phase("fault")
    untraced = await ask_in_trouble(lab, callers, ["slow"])
    cases = [
        Case(f"model-{code}", [body(code, address)], apart=False)
        for _ in range(CLIENT_ROUNDS)
        for _, code, _, body in lab.pairs(CLIENT_ERRORS, BODIES)
    ]
    cases.append(Case("400 after a 503", [Status(503), Status(400)], outlasts=True))
    cases += [Case(f"malformed: {name}", [failing(address)]) for name, failing in lab.vary(MALFORMED)]
    cases += [Case(f"incomplete: {name}", [answer(address)]) for name, answer in lab.vary(INCOMPLETE)]
    cases += [
        Case(f"rate limit: {name}", steps(address), outlasts=name == BUSY)
        for name, steps in lab.vary(RATE_LIMITS)
    ]
    cases.append(Case(LASTING_LIMIT, [status(429)(address)]))
    await run(lab, callers, cases)
    for name, make in lab.vary(OWN_ERRORS):
        await _ask_wrongly(lab, make(lab), f"wrong: {name}")
    await healthy(callers)
    down = [upstream for upstream in (model, "qdrant") if upstream in lab.contract.upstreams]
    await asyncio.gather(*map(lab.upstreams.outage, down))
    await asyncio.gather(
        *(callers.ask(label="lasting refused") for _ in range(LASTING_OUTAGE_REQUESTS)),
        *(_ask_late(callers) for _ in range(MORE_REQUESTS)),
        lab.get(path_of(lab, "cache_stats"), label="no cache", token=lab.token),
        lab.client.request("DELETE", path_of(lab, "cache_clear"), label="no cache", token=lab.token),
    )
    await callers.ask(label="after lasting refused", timeout=REJECTION_PATIENCE)
    await asyncio.gather(*map(lab.upstreams.heal, down))
    await await_traces(lab, untraced)


@experiment(seconds=16)
async def mlflow_down(lab: Lab) -> None:
    """MLflow refuses connections, and hangs; later it is back."""
    callers = await Callers.log_in(lab)
    await ask_usually(callers)
    lab.phase("fault")
    untraced = await ask_in_trouble(lab, callers, ["refused", "hanging"])
    lab.phase("recovery")
    await await_traces(lab, untraced)


async def _refused_for_a_moment(lab: Lab, callers: Callers) -> Answered | Failure:
    """Have a request meet refused connections, which are over before it may have tried for the last time."""
    model = lab.contract.model
    await recover(callers)
    await lab.upstreams.outage(model)
    asking = asyncio.create_task(callers.ask(label="refused once"))
    await asyncio.wait({asking}, timeout=REFUSED_SECONDS)
    await lab.upstreams.heal(model)
    end = await asking
    await healthy(callers)
    return end


async def _ask_late(callers: Callers) -> None:
    await asyncio.sleep(MORE_AFTER_SECONDS)
    await callers.ask(label="later refused")


async def _ask_wrongly(lab: Lab, wrong: Wrong, label: str) -> None:
    body = wrong.body if wrong.content is None else json.dumps(wrong.content).encode()
    headers = {"content-type": "application/json"} if wrong.content is not None else wrong.headers
    await lab.client.request(
        wrong.method, wrong.path, label=label, body=body, headers=headers, token=wrong.token
    )
