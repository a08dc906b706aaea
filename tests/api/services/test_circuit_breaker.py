import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from api.services.circuit_breaker import BreakerOpenError, CircuitBreaker, State


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class OutageError(Exception):
    pass


class RefusedError(Exception):
    pass


class Harness:
    """A breaker with a clock of its own, and operations to put through it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.changes: list[tuple[State, State]] = []
        self.calls = 0
        self.breaker = CircuitBreaker(
            is_failure=lambda error: isinstance(error, OutageError),
            threshold=5,
            cooldown=10,
            clock=self.clock,
            on_change=lambda old, new: self.changes.append((old, new)),
        )

    def state(self) -> State:
        return self.breaker.state

    async def succeed(self) -> str:
        self.calls += 1
        return "answer"

    async def fail(self) -> str:
        self.calls += 1
        raise OutageError

    async def refuse(self) -> str:
        self.calls += 1
        raise RefusedError

    async def put(self, operation: Callable[[], Awaitable[str]], times: int = 1) -> None:
        for _ in range(times):
            with contextlib.suppress(OutageError, RefusedError):
                await self.breaker.call(operation)

    async def open(self) -> None:
        await self.put(self.fail, 5)
        assert self.state() is State.OPEN

    async def until_half_open(self) -> None:
        await self.open()
        self.clock.now += 10


@pytest.fixture
def harness() -> Harness:
    return Harness()


async def test_hands_through_results_and_errors(harness: Harness) -> None:
    assert await harness.breaker.call(harness.succeed) == "answer"
    with pytest.raises(OutageError):
        await harness.breaker.call(harness.fail)


async def test_opens_at_the_threshold_and_calls_no_more(harness: Harness) -> None:
    await harness.put(harness.fail, 4)
    assert harness.state() is State.CLOSED
    await harness.put(harness.fail)
    assert harness.state() is State.OPEN
    with pytest.raises(BreakerOpenError):
        await harness.breaker.call(harness.succeed)
    assert harness.calls == 5


async def test_says_how_long_it_stays_open(harness: Harness) -> None:
    await harness.open()
    harness.clock.now += 4
    with pytest.raises(BreakerOpenError) as raised:
        await harness.breaker.call(harness.succeed)
    assert raised.value.retry_after == harness.breaker.retry_after == 6


async def test_only_failures_in_a_row_count(harness: Harness) -> None:
    for _ in range(3):
        await harness.put(harness.fail, 4)
        await harness.put(harness.succeed)
    assert harness.state() is State.CLOSED


async def test_refusals_neither_open_it_nor_hide_an_outage(harness: Harness) -> None:
    await harness.put(harness.refuse, 50)
    assert harness.state() is State.CLOSED
    await harness.put(harness.fail, 4)
    await harness.put(harness.refuse)
    await harness.put(harness.fail)
    assert harness.state() is State.OPEN


@pytest.mark.parametrize("probe", ["succeed", "refuse"])
async def test_an_answered_probe_closes_it(harness: Harness, probe: str) -> None:
    await harness.until_half_open()
    await harness.put(getattr(harness, probe))
    assert harness.state() is State.CLOSED
    await harness.put(harness.fail, 4)
    assert harness.state() is State.CLOSED, "the count began anew"


async def test_a_failed_probe_opens_it_for_another_cooldown(harness: Harness) -> None:
    await harness.until_half_open()
    await harness.put(harness.fail)
    assert harness.state() is State.OPEN
    assert harness.breaker.retry_after == 10
    harness.clock.now += 10
    await harness.put(harness.succeed)
    assert harness.state() is State.CLOSED
    assert harness.changes == [
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.CLOSED),
    ]


async def test_fifty_callers_make_one_probe(harness: Harness) -> None:
    await harness.until_half_open()
    before = harness.calls
    gate = asyncio.Event()

    async def probe() -> str:
        await gate.wait()
        return await harness.succeed()

    callers = [asyncio.create_task(harness.breaker.call(probe)) for _ in range(50)]
    done, waiting = await asyncio.wait(callers, timeout=0.05)
    assert len(waiting) == 1
    assert all(isinstance(task.exception(), BreakerOpenError) for task in done)
    gate.set()
    await asyncio.gather(*waiting)
    assert harness.calls == before + 1
    assert harness.state() is State.CLOSED


async def test_a_cancelled_probe_gives_its_slot_back(harness: Harness) -> None:
    await harness.until_half_open()
    probing = asyncio.Event()

    async def hang() -> str:
        probing.set()
        await asyncio.Event().wait()
        raise AssertionError

    probe = asyncio.create_task(harness.breaker.call(hang))
    await probing.wait()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert harness.state() is State.HALF_OPEN
    assert await harness.breaker.call(harness.succeed) == "answer"


async def test_cancelled_calls_do_not_count(harness: Harness) -> None:
    async def cancelled() -> str:
        raise asyncio.CancelledError

    for _ in range(50):
        with pytest.raises(asyncio.CancelledError):
            await harness.breaker.call(cancelled)
    assert (harness.state(), harness.breaker.failures) == (State.CLOSED, 0)


@pytest.mark.parametrize("outcome", ["fail", "succeed", "refuse"])
async def test_calls_from_before_an_outage_change_nothing_after_it(harness: Harness, outcome: str) -> None:
    gate = asyncio.Event()

    async def late() -> str:
        await gate.wait()
        result: str = await getattr(harness, outcome)()
        return result

    stragglers = [asyncio.create_task(harness.put(late)) for _ in range(5)]
    await asyncio.sleep(0)
    await harness.open()
    gate.set()
    await asyncio.gather(*stragglers)
    assert harness.state() is State.OPEN, "an old success is no proof of recovery"
    harness.clock.now += 10
    await harness.put(harness.succeed)
    assert harness.state() is State.CLOSED
    assert harness.breaker.failures == 0


async def test_a_straggler_does_not_free_the_slot_of_a_probe(harness: Harness) -> None:
    started, probing = asyncio.Event(), asyncio.Event()

    async def hang(event: asyncio.Event) -> str:
        event.set()
        await asyncio.Event().wait()
        raise AssertionError

    straggler = asyncio.create_task(harness.breaker.call(lambda: hang(started)))
    await started.wait()
    await harness.until_half_open()
    probe = asyncio.create_task(harness.breaker.call(lambda: hang(probing)))
    await probing.wait()
    straggler.cancel()
    await asyncio.wait([straggler])
    with pytest.raises(BreakerOpenError):
        await harness.breaker.call(harness.succeed)
    probe.cancel()
    await asyncio.wait([probe])


async def test_a_call_that_shows_life_before_its_end_closes_a_half_open_breaker() -> None:
    harness = Harness()
    for _ in range(5):
        with pytest.raises(OutageError):
            await harness.breaker.call(harness.fail)
    harness.clock.now += 10
    with contextlib.suppress(OutageError), harness.breaker.guard() as alive:
        assert harness.state() is State.HALF_OPEN
        alive()
        assert harness.state() is State.CLOSED
        alive()
        raise OutageError
    assert harness.state() is State.CLOSED, "its end is of the era before"


async def test_life_before_the_end_does_not_outweigh_the_end() -> None:
    harness = Harness()
    for _ in range(5):
        with contextlib.suppress(OutageError), harness.breaker.guard() as alive:
            alive()
            raise OutageError
    assert harness.state() is State.OPEN
