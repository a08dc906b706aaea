"""The experiments of exercise 5: dependencies that refuse, vanish and hang, and a crowd that asks how they are."""

import asyncio
from collections.abc import Collection

from chaos.history import Answer, Failure, Upstream
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
CROWD_DELAY = 0.8


@experiment(seconds=1, needs="nothing")
async def compose_files(lab: Lab) -> None:
    """Read the compose files of the repository."""
    lab.record_files("docker-compose*.y*ml", "compose*.y*ml")


@experiment(seconds=30, needs="start")
async def outages(lab: Lab) -> None:
    """Each dependency refuses connections, one after the other, then all; when they are back, 100 callers ask at once."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    for upstream in DEPENDENCIES:
        await lab.upstreams.outage(upstream)
        if not await _watch(lab, f"refused: {upstream}", [upstream], seconds=seconds):
            seconds = min(seconds, LATER_SECONDS)
        if upstream != DEPENDENCIES[-1]:
            await lab.upstreams.heal(upstream)
    for upstream in DEPENDENCIES[:-1]:
        await lab.upstreams.outage(upstream)
    await _sample(lab)
    lab.phase("recovery")
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)
    await _watch(lab, "recovered", seconds=SEEN_SECONDS if seconds else 0.0)
    await _crowd(lab)


@experiment(seconds=32, needs="start")
async def blackholes(lab: Lab) -> None:
    """Each dependency neither accepts nor refuses connections, one after the other, then all."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    for upstream in DEPENDENCIES:
        await lab.upstreams.blackhole(upstream)
        if not await _watch(lab, f"hanging: {upstream}", [upstream], seconds=seconds, hanging=True):
            seconds = min(seconds, LATER_SECONDS)
        await lab.upstreams.heal(upstream)
    for upstream in DEPENDENCIES:
        await lab.upstreams.blackhole(upstream)
    await _watch(lab, "hanging: all", DEPENDENCIES, seconds=seconds, hanging=True)
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)


@experiment(seconds=18, needs="start")
async def swallowed(lab: Lab) -> None:
    """All dependencies accept connections and answer nothing; later they are back."""
    seconds = await _first_report(lab)
    lab.phase("fault")
    for upstream in DEPENDENCIES:
        await lab.upstreams.hang(upstream)
    await _watch(lab, "swallowed", DEPENDENCIES, seconds=seconds, hanging=True)
    lab.phase("recovery")
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)
    await _watch(lab, "recovered", seconds=seconds)


async def _first_report(lab: Lab) -> float:
    """Wait for the report that all is up; how many seconds a change of it is worth waiting for."""
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
    await asyncio.gather(
        *(
            lab.get(lab.endpoint("readiness"), label="crowd", token=lab.token, timeout=READINESS_PATIENCE)
            for _ in range(CROWD)
        )
    )
    for upstream in DEPENDENCIES:
        await lab.upstreams.heal(upstream)
