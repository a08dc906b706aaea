"""The experiments of exercise 3: an upstream that hangs, drips, vanishes or fails, and callers that ask too much."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from chaos.history import Answer as ServiceAnswer
from chaos.llm import After, Answer, EmptyObject, Hang, RateLimited, Status, Step
from exercises.exam.ex3_timeouts_limits_breaker import axes
from exercises.exam.ex3_timeouts_limits_breaker.bodies import send_bodies
from exercises.exam.ex3_timeouts_limits_breaker.circuit import LATER_FAILED_REQUESTS, Circuit, labelled
from exercises.exam.ex3_timeouts_limits_breaker.outage import FAILED_REQUESTS
from exercises.exam.hanging import hang
from exercises.exam.promises import DEADLINE_SECONDS, PATIENCE_SECONDS
from lab import control
from lab.axes import Axis
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["blackhole", "breaker", "callers", "crowd", "drip", "half_open", "hang"]

CALLERS = 50
ILL_CALLERS = 12
PROBE_SECONDS = 1.0
PROBES_IN_A_ROW = 6
"""A breaker has few slots for probes: if each of these takes one away for good, none is left."""
PROBES_AT_ONCE = 4
POLL_SECONDS = 1.0
LATEST_FAILED_REQUESTS = 40
"""More for a window that many refusals are in."""
CROWD = 20
HANGING_EACH = (CROWD - len(axes.LATE_FAILURES.values)) // len(axes.HANGS.values)
ABORTED = 6
ABORT_SECONDS = 0.5
WITHOUT_ANOTHER = 6
WITHOUT_ANOTHER_SECONDS = 0.5
"""Requests at once that meet the failure of another upstream, and how long the model takes over each.

They have all met it before the first is answered. More would weigh in a breaker's window against the failures to come.
"""
CLIENT_ERRORS = 5
HEALTH_SAMPLES = 5
BYSTANDER_SAMPLES = 2


@experiment(seconds=DEADLINE_SECONDS + 3)
async def drip(lab: Lab) -> None:
    """The model answers one byte every half second, without end; a breaker that the deadline has opened closes again."""
    circuit = await Circuit.of(lab)
    lab.phase("fault")
    dripping = [
        _meet(lab, [step], labelled("failing", "drip"), FAILED_REQUESTS) for _, step in lab.vary(axes.DRIPS)
    ]
    if await circuit.outlast(lab.vary(axes.DRIP), dripping):
        await circuit.heal()
        await circuit.cool()
        _try(lab, axes.RUBBISH_PROBES)
        await _meet(lab, [EmptyObject()], "rubbish for a probe", PROBES_AT_ONCE)
        await circuit.heal()  # rubbish may count as a failure, and begin another cool-down
        await circuit.settle()


@experiment(seconds=DEADLINE_SECONDS + 4)
async def blackhole(lab: Lab) -> None:
    """The model's address neither accepts nor refuses connections: one request meets it, then five at once."""
    circuit = await Circuit.of(lab)
    lab.phase("fault")
    await lab.upstreams.blackhole(lab.contract.model)
    answer = await lab.generate(label="unreachable", timeout=PATIENCE_SECONDS)
    await lab.upstreams.heal(lab.contract.model)
    if isinstance(answer, ServiceAnswer):
        await circuit.open(lab.vary(axes.UNREACHABLE), requests=FAILED_REQUESTS)


@experiment(seconds=DEADLINE_SECONDS + 1)
async def breaker(lab: Lab) -> None:
    """The model fails for all, also for the first probes; then it recovers and meets 50 callers at once.

    Before it fails the first probes, others have learned nothing from it.
    """
    caller_token = await lab.login("user")
    outages = lab.vary(axes.FIRST_OUTAGES)
    circuit = await Circuit.of(lab, caller_token)
    if await circuit.open(outages, requests=FAILED_REQUESTS):
        await circuit.cool()
        await lab.generate(lab.control_key, label="cached", timeout=PATIENCE_SECONDS)
        await _leave(lab, After(PROBE_SECONDS, Status(503)), "abort of a probe", PROBES_AT_ONCE)
        _try(lab, axes.FIRST_PROBES)
        await circuit.fail_on(ILL_CALLERS)
        await circuit.heal()
        _try(lab, axes.SECOND_PROBES)
        lab.llm.default(Answer(delay=PROBE_SECONDS))
        await circuit.recover_under(CALLERS, caller_token)
        if not await circuit.settle():
            return
    await circuit.open(outages, requests=LATER_FAILED_REQUESTS)


@experiment(seconds=DEADLINE_SECONDS)
async def half_open(lab: Lab) -> None:
    """After one outage the first requests meet cached prompts and a rate limit, after another one client errors."""
    outages = lab.vary(axes.MIDDLE_OUTAGES)
    circuit = await Circuit.of(lab)
    requests = FAILED_REQUESTS
    for name, _ in lab.vary(axes.MIDDLE_PROBES):
        if not await circuit.open(outages, requests=requests):
            return
        requests = LATER_FAILED_REQUESTS
        await circuit.heal()
        await _PROBES[name](lab, circuit)
        if not await circuit.settle():
            return
    await circuit.open(outages, requests=requests)


@experiment(seconds=18, needs="start")
async def callers(lab: Lab) -> None:
    """Callers send too much, are refused, hang up, and meet others' outages; then the model fails, and they hang up again."""
    lab.phase("fault")
    await send_bodies(lab)
    if control.problem(lab.history):
        return
    circuit = await Circuit.of(lab)
    for name, refusal in lab.vary(axes.CLIENT_ERRORS):
        await _meet(lab, refusal, labelled("client-error", name), CLIENT_ERRORS)
        if isinstance(refusal[0], RateLimited):
            await asyncio.sleep(axes.RATE_LIMIT_SECONDS)  # until then a service may call the model for nobody
        await lab.generate(label=labelled("after client errors", name), timeout=PATIENCE_SECONDS)
    leaving = [_leave(lab, step, "abort", ABORTED) for _, step in lab.vary(axes.LEFT_ALONE)]
    await asyncio.gather(*leaving)
    await _wait_for_answers(lab)
    await lab.generate(label="after aborts", timeout=PATIENCE_SECONDS)
    for upstream, _ in lab.vary(axes.OTHERS_DOWN):
        await _ask_without(lab, upstream)
    outages = lab.vary(axes.LAST_OUTAGES)
    if await circuit.open(outages, requests=LATEST_FAILED_REQUESTS):
        await circuit.heal()
        await circuit.cool()
        _try(lab, axes.LAST_PROBES)
        for _ in range(2):
            await _leave(lab, Answer(delay=PROBE_SECONDS), "abort of a probe", PROBES_AT_ONCE)
        if not await circuit.settle():
            return
    await circuit.open(outages, requests=LATEST_FAILED_REQUESTS)


@experiment(seconds=DEADLINE_SECONDS)
async def crowd(lab: Lab) -> None:
    """Twenty requests hang at the model, or fail late, while others ask for something else."""
    circuit = await Circuit.of(lab)
    lab.phase("fault")
    hanging = [
        *(_meet(lab, [step], labelled("failing", "hang"), HANGING_EACH) for _, step in lab.vary(axes.HANGS)),
        *(_meet(lab, [step], labelled("late", name), 1) for name, step in lab.vary(axes.LATE_FAILURES)),
    ]
    tasks = [asyncio.create_task(one) for one in hanging]
    others = [
        asyncio.create_task(_meet(lab, [Hang()], labelled("hanging", model), 1, model=model))
        for model in lab.other_models
    ]
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1 + CROWD, timeout=3)
    await _ask_elsewhere(lab)
    await circuit.outlast(lab.vary(axes.HANG), tasks)
    await asyncio.gather(*others)


async def _ask_elsewhere(lab: Lab) -> None:
    alive = lab.endpoint("alive")
    for _ in range(HEALTH_SAMPLES):
        await lab.get(alive, label="health", timeout=5)
        await asyncio.sleep(0.2)
    await asyncio.gather(*(lab.get(alive, label="health", timeout=5) for _ in range(HEALTH_SAMPLES)))
    for _ in range(BYSTANDER_SAMPLES):
        for name, _ in lab.vary(axes.BYSTANDERS):
            if name == "login":
                await lab.login("user")
            elif name in lab.contract.endpoints:
                await lab.get(lab.endpoint(name), label="bystander", token=lab.token, timeout=5)


async def _cached(lab: Lab, circuit: Circuit) -> None:
    """Have the first requests after the cool-down meet the cache, and the next ones a rate limit."""
    await circuit.cool()
    for _ in range(PROBES_IN_A_ROW):
        await lab.generate(lab.control_key, label="cached", timeout=PATIENCE_SECONDS)
    await asyncio.gather(
        *(
            lab.generate(lab.control_key, label="cached", timeout=PATIENCE_SECONDS)
            for _ in range(PROBES_AT_ONCE)
        )
    )
    _try(lab, axes.LIMITED_PROBES)
    await _meet(lab, axes.CLIENT_ERRORS.values["429"], "rate limit of a probe", PROBES_AT_ONCE)
    await asyncio.sleep(axes.RATE_LIMIT_SECONDS)
    await circuit.heal()  # a client error may begin another cool-down


async def _refused(lab: Lab, circuit: Circuit) -> None:
    """Ask through the cool-down for what the model refuses, until it is called; the next ones meet the same."""
    while not circuit.is_late:
        key = await _ask_refused(lab, circuit)
        if lab.llm.calls(key):
            break
        await asyncio.sleep(POLL_SECONDS)
    for _ in range(PROBES_IN_A_ROW):
        await _ask_refused(lab, circuit)
    await asyncio.gather(*(_ask_refused(lab, circuit) for _ in range(PROBES_AT_ONCE)))


async def _ask_refused(lab: Lab, circuit: Circuit) -> str:
    key = lab.key()
    lab.llm.script(key, Status(400))
    await lab.generate(key, label=labelled("refused", circuit.kind), timeout=PATIENCE_SECONDS)
    return key


_PROBES: Mapping[str, Callable[[Lab, Circuit], Awaitable[None]]] = {
    "answered from the cache": _cached,
    "refused as a client error": _refused,
}


def _try(lab: Lab, axis: Axis[str]) -> None:
    """Record that every value of an axis is tried."""
    for _ in lab.vary(axis):
        pass


async def _meet(lab: Lab, steps: Sequence[Step], label: str, count: int, *, model: str = "") -> None:
    """Have so many prompts at once meet steps, by default at the usual model."""
    keys = [lab.key() for _ in range(count)]
    for key in keys:
        lab.llm.script(key, *steps)
    await asyncio.gather(
        *(lab.generate(key, label=label, model=model, timeout=PATIENCE_SECONDS) for key in keys)
    )


async def _ask_without(lab: Lab, upstream: str) -> None:
    """Ask while another upstream than the model refuses connections, and once more when it is back."""
    await lab.upstreams.outage(upstream)
    step = Answer(delay=WITHOUT_ANOTHER_SECONDS)
    await _meet(lab, [step], labelled("without", upstream), WITHOUT_ANOTHER)
    await lab.upstreams.heal(upstream)
    await lab.generate(label=labelled("after", upstream), timeout=PATIENCE_SECONDS)


async def _wait_for_answers(lab: Lab) -> None:
    """Wait until calls that were not dropped with their callers have ended."""
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_replies(len(lab.llm.calls()), timeout=axes.THINKS_SECONDS + 1)


async def _leave(lab: Lab, step: Step, label: str, count: int) -> None:
    """Have so many callers at once hang up before they have their answers."""
    keys = [lab.key() for _ in range(count)]
    for key in keys:
        lab.llm.script(key, step)
    await asyncio.gather(*(lab.generate(key, label=label, abort_after=ABORT_SECONDS) for key in keys))
