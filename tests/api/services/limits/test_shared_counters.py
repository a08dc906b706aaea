import asyncio
import statistics
from collections.abc import AsyncIterator

import pytest

from api.services.limits.counters import MemoryCounters, Reservation, Status
from api.services.limits.shared_counters import FAILURES, SharedCounters
from chaos.redis import RedisServer
from chaos.toxiproxy.client import ProxyHandle
from tests.api.services.limits.support import (
    PATIENT,
    adjustment,
    charge,
    redis_client,
    redis_counters,
    sample,
    until,
)
from tests.api.support import REFUSED, Records

pytestmark = pytest.mark.medium

REASONS = ("slow", "failed", "resting")


@pytest.fixture
async def counters(proxy: ProxyHandle) -> AsyncIterator[SharedCounters]:
    async with redis_counters(proxy.port) as redis:
        yield SharedCounters(redis, MemoryCounters())


async def take(counters: SharedCounters, seconds: float = PATIENT) -> Reservation:
    deadline = asyncio.get_running_loop().time() + seconds
    return await counters.reserve([charge(limit=1000)], deadline)


def local() -> dict[str, float]:
    return {reason: sample("limits_local_total", reason=reason) for reason in REASONS}


def changes(records: Records) -> list[str]:
    return [record["message"] for record in records() if record["logger"] == "api.limits"]


async def test_a_redis_that_hangs_keeps_nobody_longer_than_told(
    counters: SharedCounters, proxy: ProxyHandle, records: Records
) -> None:
    await take(counters)
    before = local()
    await proxy.add_toxic("timeout", timeout=0)
    loop = asyncio.get_running_loop()
    late = []
    for _ in range(FAILURES):
        # A timer of the same length shows what of the wait is the machine's.
        began = loop.time()
        ended: list[float] = []
        loop.call_later(0.02, lambda: ended.append(loop.time()))  # noqa: B023  runs in this round
        result = await take(counters, 0.02)
        late.append(loop.time() - max(ended or [began + 0.02]))
        assert result.status is Status.ADMITTED
    for _ in range(20):
        await take(counters, 0.02)

    counted = {reason: value - before[reason] for reason, value in local().items()}
    assert counted["slow"] + counted["failed"] + counted["resting"] == FAILURES + 20
    assert counted["slow"] >= FAILURES
    assert statistics.median(late) < 0.005
    assert changes(records) == ["Redis does not answer in time: limits are kept in this process"]
    assert sample("limits_shared") == 0


async def test_while_redis_rests_nobody_waits(counters: SharedCounters, proxy: ProxyHandle) -> None:
    await proxy.disable()
    while sample("limits_shared"):
        await take(counters)
    before = local()

    # A deadline without end: whoever waited for Redis would fail with it.
    results = await asyncio.gather(*(take(counters, 10**6) for _ in range(100)))

    assert all(result.status is Status.ADMITTED for result in results)
    assert local()["slow"] == before["slow"]
    assert local()["resting"] >= before["resting"] + 99


async def test_memory_goes_on_from_the_counts_of_redis(
    counters: SharedCounters, proxy: ProxyHandle, server: RedisServer
) -> None:
    async with redis_counters(server.port) as other_instance:
        await other_instance.reserve([charge(limit=1000, amount=10)])
    await take(counters)
    await proxy.disable()

    assert (await take(counters)).counts[0].used == 12


async def test_counts_go_on_in_redis_when_it_is_back(
    counters: SharedCounters, proxy: ProxyHandle, server: RedisServer, records: Records
) -> None:
    first = await take(counters)
    await proxy.disable()
    taken = 1
    while sample("limits_shared"):
        await take(counters)
        taken += 1
    counters.adjust([adjustment(first, 100)])
    await proxy.enable()
    while not sample("limits_shared"):
        await take(counters)
        taken += 1
        await asyncio.sleep(0.05)

    async with redis_client(server.port) as client:

        async def all_counted() -> bool:
            return int(await client.hget("k", "used")) == taken + 100  # type: ignore[arg-type]

        await until(all_counted)
    assert (await take(counters)).counts[0].used == taken + 101
    assert changes(records) == [
        "Redis does not answer in time: limits are kept in this process",
        "Redis answers again: limits are shared",
    ]


async def test_a_redis_that_was_never_there_refuses_nobody() -> None:
    async with redis_counters(int(REFUSED.rpartition(":")[2])) as redis:
        counters = SharedCounters(redis, MemoryCounters())

        assert [(await take(counters)).counts[0].used for _ in range(10)] == list(range(1, 11))
