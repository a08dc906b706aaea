"""The experiments of exercise 3: an upstream that hangs, drips, vanishes or fails, and callers that ask too much."""

import asyncio
import contextlib
import json
from collections.abc import Sequence

from chaos.history import Answer as ServiceAnswer
from chaos.history import Failure
from chaos.llm import Answer, Drip, Hang, Status
from exercises.exam.ex3_timeouts_limits_breaker.outage import (
    FAILED_REQUESTS,
    REJECTED_REQUESTS,
    most_failed_requests,
)
from exercises.exam.hanging import hang
from exercises.exam.promises import DEADLINE_SECONDS, PATIENCE_SECONDS, TOLERANCE_SECONDS
from lab.experiment import experiment
from lab.lab import Lab
from lab.retry_after import seconds_of

__all__ = ["blackhole", "bodies", "breaker", "client_errors", "crowd", "drip", "half_open", "hang"]

QUIET_REQUESTS = 12
"""So many requests in a row for each of several workers meet every one of them."""
CALLERS = 50
COOL_DOWN_MARGIN = 0.5
COOL_DOWN_LIMIT = 65.0
POLL_SECONDS = 5.0
CROWD = 20
HEALTH_SAMPLES = 8
UNDER_LIMIT = 900_000
OVER_LIMIT = 1_200_000
PIECE = 16 * 1024


@experiment(seconds=DEADLINE_SECONDS)
async def drip(lab: Lab) -> None:
    """The model answers one byte every half second, without end."""
    key = lab.key()
    lab.llm.script(key, Drip(interval=0.5))
    lab.phase("fault")
    await lab.generate(key, label="dripping", timeout=PATIENCE_SECONDS)


@experiment(seconds=DEADLINE_SECONDS)
async def blackhole(lab: Lab) -> None:
    """The model's address neither accepts nor refuses connections."""
    lab.phase("fault")
    await lab.upstreams.blackhole("litellm")
    await lab.generate(label="unreachable", timeout=PATIENCE_SECONDS)
    await lab.upstreams.heal("litellm")


@experiment(seconds=30)
async def breaker(lab: Lab) -> None:
    """The model fails for all, then recovers and meets 50 callers at once."""
    caller_token = await lab.login("user")
    cool_down = await _open_breaker(lab)
    lab.llm.default(Answer(delay=1.0))
    lab.phase("recovery")
    healed = lab.recorder.now()
    while not _is_late(lab, healed):
        await asyncio.sleep(min(cool_down or POLL_SECONDS, COOL_DOWN_LIMIT) + COOL_DOWN_MARGIN)
        answers = await asyncio.gather(
            *(
                lab.generate(label="caller", token=caller_token, timeout=PATIENCE_SECONDS)
                for _ in range(CALLERS)
            )
        )
        if any(isinstance(answer, ServiceAnswer) and answer.status == 200 for answer in answers):
            break
        cool_down = _cool_down(answers)
    await _serve(lab, healed)


@experiment(seconds=30)
async def half_open(lab: Lab) -> None:
    """After an outage the first requests meet a cached prompt and a client error."""
    healed = await _outlast_outage(lab)
    await lab.generate(lab.control_key, label="cached", timeout=PATIENCE_SECONDS)
    if len(lab.llm.calls(lab.control_key)) > 1 and await lab.count_workers() == 1:
        # It was in no cache, and has been the probe itself: the client error has to be one too.
        healed = await _outlast_outage(lab)
    refused = lab.key()
    lab.llm.script(refused, Status(400))
    await lab.generate(refused, label="client-error", timeout=PATIENCE_SECONDS)
    await _serve(lab, healed)


@experiment(seconds=6)
async def client_errors(lab: Lab) -> None:
    """The model refuses many requests as the callers' fault, and many callers hang up."""
    lab.phase("fault")
    refused = []
    for status in (400, 401, 403, 404, 422) * 2:
        key = lab.key()
        lab.llm.script(key, Status(status))
        refused.append(lab.generate(key, label="client-error", timeout=PATIENCE_SECONDS))
    await asyncio.gather(*refused)
    await lab.generate(label="after-client-errors", timeout=PATIENCE_SECONDS)
    aborted = []
    for _ in range(8):
        key = lab.key()
        lab.llm.script(key, Answer(delay=3.0))
        aborted.append(lab.generate(key, label="abort", abort_after=1.0))
    await asyncio.gather(*aborted)
    await lab.generate(label="after-aborts", timeout=PATIENCE_SECONDS)


@experiment(seconds=3)
async def bodies(lab: Lab) -> None:
    """Bodies under and over the limit of 1 MB arrive, with a length and in chunks."""
    lab.phase("fault")
    for label, size, chunked in (
        ("under", UNDER_LIMIT, False),
        ("over", OVER_LIMIT, False),
        ("over-chunked", OVER_LIMIT, True),
    ):
        key = lab.key()
        await lab.client.request(
            "POST",
            lab.ask_path,
            label=label,
            key=key,
            body=_padded(lab, key, size),
            chunked=chunked,
            headers={"content-type": "application/json"},
            token=lab.token,
            timeout=PATIENCE_SECONDS,
        )


@experiment(seconds=6)
async def crowd(lab: Lab) -> None:
    """Twenty requests hang at the model while others ask for /health."""
    lab.llm.default(Hang())
    lab.phase("fault")
    hanging = [
        asyncio.create_task(lab.generate(label="hanging", timeout=PATIENCE_SECONDS)) for _ in range(CROWD)
    ]
    with contextlib.suppress(TimeoutError):
        await lab.llm.wait_for_calls(1 + CROWD, timeout=3)
    for _ in range(HEALTH_SAMPLES):
        await lab.get(lab.endpoint("alive"), label="health", timeout=5)
        await asyncio.sleep(0.2)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def _outlast_outage(lab: Lab) -> float:
    """Open the breaker, heal the model, and wait until the breaker may probe; when the model was healed."""
    cool_down = await _open_breaker(lab)
    lab.llm.default(Answer())
    lab.phase("recovery")
    healed = lab.recorder.now()
    await asyncio.sleep(min(cool_down or POLL_SECONDS, COOL_DOWN_LIMIT) + COOL_DOWN_MARGIN)
    return healed


async def _open_breaker(lab: Lab) -> float | None:
    """Fail as many requests as a breaker may need, then ask on; the cool-down that the service names, in seconds."""
    workers = await lab.count_workers()
    lab.llm.default(Status(503))
    lab.phase("fault")
    await _fail(lab)
    if workers > 1:
        answers = await _fail_each_worker(lab, workers)
    else:
        answers = [await _ask_rejected(lab, lab.key()) for _ in range(REJECTED_REQUESTS)]
    return _cool_down(answers)


async def _fail(lab: Lab) -> None:
    await asyncio.gather(
        *(lab.generate(label="failing", timeout=PATIENCE_SECONDS) for _ in range(FAILED_REQUESTS))
    )


async def _fail_each_worker(lab: Lab, workers: int) -> list[ServiceAnswer | Failure]:
    """Fail requests until all workers reject them, for each may have a breaker of its own; the last answers."""
    while True:
        answers: list[ServiceAnswer | Failure] = []
        for _ in range(QUIET_REQUESTS * workers):
            key = lab.key()
            answers.append(await _ask_rejected(lab, key))
            if lab.llm.calls(key):
                break
        else:
            return answers
        failed = {call.key for call in lab.llm.calls()} - {lab.control_key}
        if len(failed) > most_failed_requests(workers):
            return answers
        await _fail(lab)


async def _ask_rejected(lab: Lab, key: str) -> ServiceAnswer | Failure:
    return await lab.generate(key, label="rejected", timeout=PATIENCE_SECONDS)


def _cool_down(answers: Sequence[ServiceAnswer | Failure]) -> float | None:
    named = [
        seconds
        for answer in answers
        if isinstance(answer, ServiceAnswer) and (seconds := seconds_of(answer)) is not None
    ]
    return max(named, default=None)


def _is_late(lab: Lab, healed: float) -> bool:
    """Whether the service has had its time to recover, what it took over its answers included."""
    return lab.recorder.now() - healed > COOL_DOWN_LIMIT + TOLERANCE_SECONDS


async def _serve(lab: Lab, healed: float) -> None:
    """Ask until three requests in a row were served; waits for a breaker that opened once more, within the limit."""
    served = 0
    while served < 3:
        answer = await lab.generate(label="recovered", timeout=PATIENCE_SECONDS)
        served = served + 1 if isinstance(answer, ServiceAnswer) and answer.status == 200 else 0
        if served:
            continue
        if _is_late(lab, healed):
            return
        await asyncio.sleep(min(_cool_down([answer]) or POLL_SECONDS, COOL_DOWN_LIMIT) + COOL_DOWN_MARGIN)


def _padded(lab: Lab, key: str, size: int) -> list[bytes]:
    """Return a valid JSON body of `size` bytes, most of them white space, in pieces."""
    body = json.dumps(lab.ask_body(key)).encode()
    body = body[:-1] + b" " * (size - len(body)) + body[-1:]
    return [body[start : start + PIECE] for start in range(0, size, PIECE)]
