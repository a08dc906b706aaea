"""The experiments of exercise 5: dependencies that refuse, vanish and hang, and a crowd that asks how they are."""

import asyncio
import random
from collections.abc import Collection

from chaos.history import Answer, Began, Failure, Upstream
from exercises.exam.ex5_health_checks import axes
from exercises.exam.ex5_health_checks.outage import ALL_FAIL, break_off, down_label, mend
from exercises.exam.ex5_health_checks.readiness import DEPENDENCIES, NAMES, SEEN_SECONDS, shows
from lab.experiment import experiment
from lab.flags import flags
from lab.lab import Lab

__all__ = ["blackholes", "compose_files", "outages", "swallowed"]

LATER_SECONDS = 10.0
"""After one change that did not show in time, others have no more than this: the verdict is known."""
READINESS_PATIENCE = 15.0
LIVENESS_PATIENCE = 5.0
POLL_SECONDS = 1.0
SAMPLE_SECONDS = 0.2
MOST_SAMPLES = 15
STILL_SAMPLES = 3
CROWD = 100
HANGING_CROWD = 50
CROWD_DELAY = 0.8


@experiment(seconds=1, needs="nothing")
async def compose_files(lab: Lab) -> None:
    """Read the compose files of the repository."""
    for pattern, _ in lab.vary(axes.COMPOSE_FILES):
        lab.record_files(pattern)


@experiment(seconds=30, needs="start")
async def outages(lab: Lab) -> None:
    """Each dependency is down in its own way, one after the other; when they are back, 100 callers ask at once."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    _in_state(lab, "one down")
    kinds = _kinds(lab)
    for upstream in DEPENDENCIES:
        lab.tried(axes.DOWN, upstream)
        lab.tried(axes.KINDS, kinds[upstream])
        await break_off(lab, upstream, kinds[upstream])
        if not await _watch(lab, down_label(upstream, kinds[upstream]), [upstream], seconds=seconds):
            seconds = min(seconds, LATER_SECONDS)
        if upstream != DEPENDENCIES[-1]:
            await mend(lab, upstream, kinds[upstream])
    _in_state(lab, "all down")
    for upstream in DEPENDENCIES[:-1]:
        await break_off(lab, upstream, kinds[upstream])
    await _sample(lab)
    lab.phase("recovery")
    for upstream in DEPENDENCIES:
        await mend(lab, upstream, kinds[upstream])
    _in_state(lab, "all back")
    await _watch(lab, "recovered", seconds=SEEN_SECONDS if seconds else 0.0)
    lab.tried(axes.CROWDS, "while all are slow")
    await _crowd(lab)


@experiment(seconds=32, needs="start")
async def blackholes(lab: Lab) -> None:
    """Each dependency neither accepts nor refuses connections, one after the other, then all."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    lab.tried(axes.HANGS, "takes no connection")
    _in_state(lab, "one hangs")
    for upstream, _ in lab.vary(axes.DOWN):
        await lab.upstreams.blackhole(upstream)
        if not await _watch(lab, f"hanging: {upstream}", [upstream], seconds=seconds, hanging=True):
            seconds = min(seconds, LATER_SECONDS)
        await lab.upstreams.heal(upstream)
    _in_state(lab, "all hang")
    for upstream in DEPENDENCIES:
        await lab.upstreams.blackhole(upstream)
    await _watch(lab, "hanging: all", DEPENDENCIES, seconds=seconds, hanging=True)
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)


@experiment(seconds=24, needs="start")
async def swallowed(lab: Lab) -> None:
    """All dependencies accept connections and answer nothing, and 50 callers ask; they are back, and fail in other ways."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    lab.tried(axes.HANGS, "takes one and answers nothing")
    for upstream in DEPENDENCIES:
        await lab.upstreams.hang(upstream)
    shown = await _watch(lab, "swallowed", DEPENDENCIES, seconds=seconds, hanging=True)
    if shown:
        lab.tried(axes.CROWDS, "while all hang")
        await _ask_at_once(lab, "hanging crowd", HANGING_CROWD)
    lab.phase("recovery")
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)
    if not await _watch(lab, "recovered", seconds=seconds):
        return
    lab.phase("fault")
    kinds = _kinds(lab, shift=1)
    for upstream in DEPENDENCIES:
        lab.tried(axes.KINDS, kinds[upstream])
        await break_off(lab, upstream, kinds[upstream])
    await _watch(lab, ALL_FAIL, DEPENDENCIES, seconds=seconds)
    for upstream in DEPENDENCIES:
        await mend(lab, upstream, kinds[upstream])


def _in_state(lab: Lab, state: str) -> None:
    lab.tried(axes.STATES, state)


def _kinds(lab: Lab, *, shift: int = 0) -> dict[Upstream, str]:
    """Return how each dependency is down; with a shift, in another way than without, and all ways are in one or the other."""
    began = lab.history.first(Began)
    kinds = list(axes.KINDS.values)
    random.Random(f"{began.seed if began else 0}/kinds").shuffle(kinds)  # noqa: S311 - must be replayable
    return {upstream: kinds[(place + shift) % len(kinds)] for place, upstream in enumerate(DEPENDENCIES)}


async def _first_report(lab: Lab) -> float:
    """Wait for the report that all is up; how many seconds a change of it is worth waiting for."""
    _in_state(lab, "all up")
    if await _watch(lab, "healthy", seconds=SEEN_SECONDS):
        return SEEN_SECONDS
    return 0.0 if _is_missing(lab.history.exchanges("healthy")[-1].end) else LATER_SECONDS


async def _watch(
    lab: Lab, label: str, down: Collection[Upstream] = (), *, seconds: float, hanging: bool = False
) -> bool:
    """Ask for readiness until it shows what is down, never will, or `seconds` are over; whether it did.

    Where dependencies are `hanging`, one question without an answer decides.
    """
    started = lab.recorder.now()
    while True:
        late = lab.recorder.now() - started >= seconds
        answer = await _ask(lab, label)
        shown = shows(answer, down)
        unanswered = hanging and isinstance(answer, Failure) and answer.error == "timeout"
        if late or shown or unanswered or _is_missing(answer) or _is_final(answer, down):
            break
        await asyncio.sleep(POLL_SECONDS)
    await _sample(lab)
    return shown


def _is_missing(answer: Answer | Failure | None) -> bool:
    return isinstance(answer, Answer) and answer.status in {404, 405}


def _is_final(answer: Answer | Failure, down: Collection[Upstream]) -> bool:
    """Whether a report says 200 in spite of its flags, or without naming every dependency: waiting mends neither."""
    if not isinstance(answer, Answer) or answer.status != 200:
        return False
    seen = flags(answer.body, NAMES)
    all_told = {upstream: upstream not in down for upstream in DEPENDENCIES}
    return None in seen.values() or seen == all_told


async def _ask(lab: Lab, label: str) -> Answer | Failure:
    """Ask for readiness, and for liveness while that takes its time."""
    asking = asyncio.create_task(
        lab.get(lab.endpoint("readiness"), label=label, token=lab.token, timeout=READINESS_PATIENCE)
    )
    samples: list[asyncio.Task[Answer | Failure]] = []
    while not (await asyncio.wait([asking], timeout=SAMPLE_SECONDS))[0]:
        if len(samples) < MOST_SAMPLES:
            samples.append(asyncio.create_task(_liveness(lab)))
    await asyncio.gather(*samples)
    return await asking


async def _sample(lab: Lab) -> None:
    for _ in range(STILL_SAMPLES):
        await _liveness(lab)


async def _liveness(lab: Lab) -> Answer | Failure:
    return await lab.get(lab.endpoint("alive"), label="liveness", timeout=LIVENESS_PATIENCE)


async def _crowd(lab: Lab) -> None:
    """Have many ask at once, with slow dependencies, so that they all come before the first report is made.

    The call before them is for those who keep their reports.
    """
    for upstream in DEPENDENCIES:
        await lab.upstreams.latency(upstream, CROWD_DELAY)
    await _ask(lab, "first of the crowd")
    await _ask_at_once(lab, "crowd", CROWD)
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)


async def _ask_at_once(lab: Lab, label: str, count: int) -> None:
    await asyncio.gather(
        *(
            lab.get(lab.endpoint("readiness"), label=label, token=lab.token, timeout=READINESS_PATIENCE)
            for _ in range(count)
        )
    )
