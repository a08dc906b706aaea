import asyncio
from datetime import UTC, datetime

import pytest

from api.utils.retry import parse_retry_after, retry


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Flaky:
    """Fails as often as told, then answers."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"failure {self.calls}")
        return "answer"


def always(_error: Exception) -> float:
    return 0.0


def never(_error: Exception) -> None:
    return None


@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_answers_after_failures(failures: int) -> None:
    time = FakeTime()
    call = Flaky(failures)
    assert await retry(call, wait_at_least=always, clock=time.clock, sleep=time.sleep) == "answer"
    assert (call.calls, len(time.slept)) == (failures + 1, failures)


async def test_gives_up_after_three_retries_with_the_last_error() -> None:
    time = FakeTime()
    call = Flaky(10)
    with pytest.raises(ConnectionError, match="failure 4"):
        await retry(call, wait_at_least=always, clock=time.clock, sleep=time.sleep)
    assert call.calls == 4


@pytest.mark.parametrize(("random", "waits"), [(0.0, [0.5, 1, 2]), (0.5, [0.75, 1.5, 3]), (1.0, [1, 2, 4])])
async def test_waits_between_half_the_cap_and_the_cap(random: float, waits: list[float]) -> None:
    time = FakeTime()
    await retry(Flaky(3), wait_at_least=always, clock=time.clock, sleep=time.sleep, uniform=lambda: random)
    assert time.slept == waits


async def test_does_not_retry_what_is_hopeless() -> None:
    call = Flaky(1, ValueError)
    with pytest.raises(ValueError, match="failure 1"):
        await retry(call, wait_at_least=never)
    assert call.calls == 1


async def test_the_least_wait_is_kept() -> None:
    time = FakeTime()
    await retry(
        Flaky(2), wait_at_least=lambda _error: 1.2, clock=time.clock, sleep=time.sleep, uniform=lambda: 1.0
    )
    assert time.slept == [1.2, 2.0]


async def test_gives_up_at_once_where_the_wait_would_reach_the_deadline() -> None:
    time = FakeTime()
    call = Flaky(3)
    with pytest.raises(ConnectionError, match="failure 1"):
        await retry(
            call, wait_at_least=lambda _error: 60.0, deadline=120.0, clock=time.clock, sleep=time.sleep
        )
    assert (call.calls, time.slept) == (1, [])


async def test_the_deadline_spans_all_attempts() -> None:
    time = FakeTime()
    call = Flaky(9)
    with pytest.raises(ConnectionError, match="failure 3"):
        await retry(
            call,
            wait_at_least=always,
            deadline=time.now + 3.5,
            clock=time.clock,
            sleep=time.sleep,
            uniform=lambda: 1.0,
        )
    assert time.slept == [1.0, 2.0]


async def test_tells_of_each_retry_before_it_waits() -> None:
    time = FakeTime()
    told: list[tuple[str, int, float]] = []
    await retry(
        Flaky(2),
        wait_at_least=always,
        before_retry=lambda error, number, delay: told.append((str(error), number, delay)),
        clock=time.clock,
        sleep=time.sleep,
        uniform=lambda: 0.0,
    )
    assert told == [("failure 1", 1, 0.5), ("failure 2", 2, 1.0)]


async def test_a_cancelled_wait_is_not_retried() -> None:
    waiting = asyncio.Event()
    call = Flaky(9)
    task = asyncio.create_task(
        retry(call, wait_at_least=always, before_retry=lambda *_: waiting.set(), caps=[60.0])
    )
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.calls == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_parse_retry_after(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds
