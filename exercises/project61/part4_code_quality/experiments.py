"""The experiments of part 4: own tests, what they run, a linter; failures, a breaker, kill -9, PostgreSQL down, and a shutdown."""

import asyncio

from chaos.history import Answer as Answered
from chaos.llm import Answer, Held, Status
from exercises.project61.chat import open_chat, streamed_body
from exercises.project61.part4_code_quality.asking import ask, ask_streamed
from exercises.project61.part4_code_quality.axes import OUTAGES, PASSING, REFUSALS
from exercises.project61.part4_code_quality.plan import (
    ARRIVAL_SECONDS,
    AT_ONCE,
    COOL_DOWN_SECONDS,
    EXIT_SECONDS,
    FAILURES_IN_A_ROW,
    OUTAGE_SECONDS,
    is_rejection,
)
from exercises.project61.readiness import wait_for_database
from exercises.project61.usage_report import tokens_reported, usage_of
from lab import own_tests
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["breaker", "covered", "database_down", "failures", "killed", "linted", "own_suite"]

REQUESTS = 4
STREAM_SECONDS = 15.0
AGREEMENT_POLLS = 3
"""Reports that agree before usage is taken for final: what is delivered twice comes late."""


@experiment(seconds=30, needs="nothing")
async def own_suite(lab: Lab) -> None:
    """Run the submission's own tests, without a network."""
    lab.record_files(*own_tests.PATTERNS)
    await lab.run_own_tests()


@experiment(seconds=30, needs="nothing")
async def covered(lab: Lab) -> None:
    """Run the submission's own tests once more, and count the lines that they run."""
    await lab.measure_own_tests()


@experiment(seconds=20, needs="nothing")
async def linted(lab: Lab) -> None:
    """Run the submission's linter."""
    await lab.run_linter()


@experiment(seconds=14)
async def failures(lab: Lab) -> None:
    """The backend fails and recovers, refuses, and breaks a stream; at last the service is stopped in a stream."""
    lab.phase("fault")
    for name, failing in lab.vary(PASSING):
        key = lab.key()
        lab.llm.script(key, failing, failing, Answer())
        await ask(lab, key, label=f"passing: {name}")
        await ask(lab, lab.key(), label="between")
    for name, code in lab.vary(REFUSALS):
        key = lab.key()
        lab.llm.script(key, Status(code))
        await ask(lab, key, label=f"refusal: {name}")
        await ask(lab, lab.key(), label="between")
    await _break_a_stream(lab)
    await _stop_in_a_stream(lab)


@experiment(seconds=25)
async def breaker(lab: Lab) -> None:
    """The backend fails for good until the service no longer calls it; then it works again."""
    key = lab.key()
    lab.llm.script(key, Status(503))
    lab.phase("fault")
    for _ in range(FAILURES_IN_A_ROW // AT_ONCE):
        ends = await asyncio.gather(*(ask(lab, key, label="failing") for _ in range(AT_ONCE)))
        if any(is_rejection(lab.history, end) for end in ends):
            break
    for _ in range(REQUESTS):
        await ask(lab, key, label="open")
    lab.llm.script(key, Answer())
    lab.phase("recovery")
    deadline = lab.recorder.now() + COOL_DOWN_SECONDS
    while lab.recorder.now() < deadline:
        end = await ask(lab, lab.key(), label="closing")
        if isinstance(end, Answered) and end.status == 200:
            break
        await asyncio.sleep(1)
    for _ in range(2):
        await ask(lab, lab.key(), label="closed")


@experiment(seconds=12)
async def killed(lab: Lab) -> None:
    """The service is killed right after answers, and started again on the same database and files."""
    await wait_for_database(lab)
    token = await lab.login("free")
    for _ in range(REQUESTS):
        await ask(lab, lab.key(), label="counted", token=token)
    await asyncio.gather(
        *(ask(lab, lab.key(), label="counted", token=token) for _ in range(REQUESTS)),
        *(ask_streamed(lab, lab.key(), label="counted", token=token) for _ in range(2)),
    )
    lab.phase("fault")
    restarted = await lab.kill_and_restart()
    if restarted is None:
        return
    lab.phase("recovery")
    lab.client = restarted.client
    await _await_usage(lab, token)


@experiment(seconds=22)
async def database_down(lab: Lab) -> None:
    """PostgreSQL refuses connections, and later answers nothing, while requests are answered."""
    await wait_for_database(lab)
    token = await lab.login("premium")
    for _ in range(REQUESTS):
        await ask(lab, lab.key(), label="usual", token=token)
    lab.phase("fault")
    for name, _ in lab.vary(OUTAGES):
        await (lab.upstreams.outage if name == "down" else lab.upstreams.hang)("database")
        for pause in (0, OUTAGE_SECONDS):  # before the service can have noticed, and when it has
            await asyncio.sleep(pause)
            for _ in range(REQUESTS):
                await ask(lab, lab.key(), label=name, token=token)
            await ask_streamed(lab, lab.key(), label=name, token=token)
        await lab.upstreams.heal("database")
    lab.phase("recovery")
    await _await_usage(lab, token)


async def _break_a_stream(lab: Lab) -> None:
    """Have the backend close the connection in the middle of a stream."""
    key = lab.key()
    release = asyncio.Event()
    lab.llm.script(key, Held(release, broken=True), Answer())
    connection = await open_chat(lab, "broken stream", key, streamed_body(lab, key))
    await connection.wait_for_part('"content"', STREAM_SECONDS)
    release.set()
    await connection.answer(STREAM_SECONDS)
    connection.close()
    await ask(lab, lab.key(), label="between")


async def _stop_in_a_stream(lab: Lab) -> None:
    key = lab.key()
    release = asyncio.Event()
    lab.llm.script(key, Held(release))
    connection = await open_chat(lab, "stopped stream", key, streamed_body(lab, key))
    begun = await connection.wait_for_part('"content"', STREAM_SECONDS)
    lab.service.signal("TERM")
    if begun:
        await asyncio.sleep(1)  # long enough for a service that drops its streams to do so
    release.set()
    await connection.answer(STREAM_SECONDS)
    connection.close()
    await lab.service.wait_exit(EXIT_SECONDS)


async def _await_usage(lab: Lab, token: str) -> None:
    """Ask for a user's usage until it covers all answers and no longer changes, or time is up."""
    # The control phase has spent some as well, under another name.
    control = tokens_reported(lab.history.calls(key=lab.control_key))
    spent = tokens_reported(lab.history.calls()) - control
    deadline = lab.recorder.now() + ARRIVAL_SECONDS
    agreed = 0
    while agreed < AGREEMENT_POLLS and lab.recorder.now() < deadline:
        await asyncio.sleep(0.5)
        usage = usage_of(await lab.get(lab.endpoint("usage"), label="usage", token=token))
        agreed = agreed + 1 if usage and usage.tokens >= spent else 0
