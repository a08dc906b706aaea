"""Counters in memory and in Redis do the same."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

import pytest

from api.services.limits.counters import (
    Adjustment,
    Charge,
    Count,
    MemoryCounters,
    Reservation,
    Status,
    window_start,
)
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from tests.api.services.limits.support import AGES, adjustment, charge, redis_client, redis_counters, until

pytestmark = pytest.mark.medium


class Counters(Protocol):
    async def reserve(self, charges: Sequence[Charge]) -> Reservation: ...

    def adjust(self, adjustments: Iterable[Adjustment]) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._counters = MemoryCounters()
        self.adjust = self._counters.adjust

    async def reserve(self, charges: Sequence[Charge]) -> Reservation:
        return self._counters.reserve(charges)


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield InMemory()
        return
    async with RedisServer(Recorder()) as server, redis_counters(server.port) as running:
        yield running


def used(reservation: Reservation) -> list[int]:
    return [count.used for count in reservation.counts]


async def test_up_to_the_limit_and_no_further(counters: Counters) -> None:
    results = [await counters.reserve([charge(limit=3)]) for _ in range(5)]

    assert [result.status for result in results] == [Status.ADMITTED] * 3 + [Status.REFUSED] * 2
    assert [used(result) for result in results] == [[1], [2], [3], [3], [3]]
    assert results[0].counts[0].start == window_start(results[0].now, AGES)


async def test_all_charges_are_counted_or_none(counters: Counters) -> None:
    both = [charge("requests", limit=9), charge("tokens", limit=10, amount=6)]
    assert used(await counters.reserve(both)) == [1, 6]

    refused = await counters.reserve(both)

    assert refused.status is Status.REFUSED
    assert used(refused) == [1, 6]
    assert used(await counters.reserve([charge("tokens", limit=10, amount=4)])) == [10]


async def test_what_is_needed_may_be_less_than_what_is_counted(counters: Counters) -> None:
    budget = Charge("k", limit=10, seconds=AGES, amount=8, need=1)

    assert [used(await counters.reserve([budget])) for _ in range(3)] == [[8], [16], [16]]


async def test_a_counter_without_a_base_decides_nothing(counters: Counters) -> None:
    charges = [charge("known"), charge("unknown", base=None)]

    assert (await counters.reserve(charges)).status is Status.UNKNOWN
    charges[1] = charge("unknown", base=1)
    assert used(await counters.reserve(charges)) == [1, 2]
    charges[1] = charge("unknown", base=None)
    assert used(await counters.reserve(charges)) == [2, 3]


async def test_a_base_is_kept_when_it_leads_to_a_refusal(counters: Counters) -> None:
    assert (await counters.reserve([charge(base=3)])).status is Status.REFUSED

    assert (await counters.reserve([charge(base=None)])).status is Status.REFUSED


async def test_a_base_is_the_least_that_is_used(counters: Counters) -> None:
    assert used(await counters.reserve([charge(limit=9)])) == [1]

    assert used(await counters.reserve([charge(limit=9, base=7)])) == [8]
    assert used(await counters.reserve([charge(limit=10, base=7)])) == [9]
    assert (await counters.reserve([charge(limit=10, base=10)])).status is Status.REFUSED
    assert (await counters.reserve([charge(limit=10, base=None)])).status is Status.REFUSED


async def test_adjustments_count_in_the_window_that_they_are_of(counters: Counters) -> None:
    first = await counters.reserve([charge(limit=100, amount=10)])
    counters.adjust([adjustment(first, -4), adjustment(first, 100, key="never seen")])
    counters.adjust([adjustment(first, 50)._replace(start=first.counts[0].start - AGES)])

    assert used(await counters.reserve([charge(limit=100)])) == [7]
    assert used(await counters.reserve([charge("never seen", limit=100)])) == [1]


async def test_a_window_ends(counters: Counters) -> None:
    second = Charge("k", limit=1, seconds=1, amount=1, need=1)
    first = await counters.reserve([second])

    async def admitted() -> bool:
        return (await counters.reserve([second])).status is Status.ADMITTED

    await until(admitted)
    last = await counters.reserve([second])
    assert last.counts[0].start > first.counts[0].start


async def test_redis_forgets_a_counter_with_its_window(server: RedisServer) -> None:
    async with redis_counters(server.port) as counters, redis_client(server.port) as client:
        reservation = await counters.reserve([charge()])

        assert await client.expiretime("k") == reservation.counts[0].start + AGES


def test_memory_forgets_counters_with_their_window() -> None:
    now = 0.0
    counters = MemoryCounters(lambda: now)
    minute, day = Charge("m", 9, 60, 1, 1), Charge("d", 9, 86400, 1, 1)
    counters.reserve([minute, day])
    counters.copy([minute], [Count(used=7, start=0)])
    assert used(counters.reserve([minute, day])) == [8, 2]

    now = 60.0
    counters.copy([minute], [Count(used=7, start=0)])
    assert used(counters.reserve([minute, day])) == [1, 3]
