import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.services.limits.counters import Adjustment, Status
from chaos.redis import RedisServer
from chaos.toxiproxy.client import ProxyHandle
from tests.api.services.limits.support import AGES, adjustment, charge, redis_client, redis_counters, until

pytestmark = pytest.mark.medium


def used_is(client: Redis, expected: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return bool(await client.hget("k", "used") == expected)

    return check


async def test_many_at_once_from_two_instances_take_the_limit_exactly(server: RedisServer) -> None:
    async with redis_counters(server.port) as one, redis_counters(server.port) as other:
        takes = [counters.reserve([charge(limit=30)]) for counters in (one, other) for _ in range(50)]
        results = await asyncio.gather(*takes)

    assert sum(result.status is Status.ADMITTED for result in results) == 30
    assert sorted(result.counts[0].used for result in results) == [*range(1, 30), *[30] * 71]


async def test_a_server_that_has_forgotten_the_scripts_gets_them_again(server: RedisServer) -> None:
    async with redis_counters(server.port) as counters, redis_client(server.port) as client:
        first = await counters.reserve([charge(limit=100)])
        await client.script_flush()
        counters.adjust([adjustment(first, 5)])
        assert (await counters.reserve([charge(limit=100)])).counts[0].used == 7


async def test_a_caller_that_leaves_is_not_counted(server: RedisServer, proxy: ProxyHandle) -> None:
    async with redis_counters(proxy.port) as counters, redis_client(server.port) as client:
        await counters.reserve([charge("warm")])
        await proxy.add_toxic("latency", latency=300)
        leaving = asyncio.create_task(counters.reserve([charge()]))
        await until(used_is(client, "1"))
        leaving.cancel()

        await until(used_is(client, "0"))


async def test_a_connection_cut_in_an_answer_mixes_no_answers_up(
    server: RedisServer, proxy: ProxyHandle
) -> None:
    async with redis_counters(proxy.port) as counters:

        async def take(number: int) -> int | None:
            with contextlib.suppress(Exception):
                result = await counters.reserve([charge(f"k{number}", limit=10**6, amount=number)])
                return result.counts[0].used
            return None

        answered = failed = 0
        for size in (1, 7, 20, 45, 90):
            await proxy.add_toxic("limit_data", name="cut", bytes=size)
            for _ in range(3):
                numbers = range(1001, 1011)
                for number, used in zip(numbers, await asyncio.gather(*map(take, numbers)), strict=True):
                    failed += used is None
                    assert used is None or used % number == 0
            await proxy.remove_toxic("cut")
            await counters._redis.connection_pool.disconnect()  # what was counted by the toxic is over
            answered += sum([await take(number) is not None for number in range(1001, 1011)])
        assert failed
        assert answered == 50


async def test_what_redis_refuses_is_raised(server: RedisServer) -> None:
    async with redis_counters(server.port) as counters, redis_client(server.port) as client:
        await client.set("k", "somebody else's")
        with pytest.raises(Exception, match="WRONGTYPE"):
            await counters.reserve([charge()])
        assert (await counters.reserve([charge("other")])).status is Status.ADMITTED


async def test_an_adjustment_goes_by_itself_if_no_reservation_comes(server: RedisServer) -> None:
    async with redis_counters(server.port) as counters, redis_client(server.port) as client:
        first = await counters.reserve([charge(limit=100)])
        for expected in ("6", "11"):
            counters.adjust([adjustment(first, 5)])
            await until(used_is(client, expected))


async def test_what_is_owed_is_delivered_at_the_end(server: RedisServer) -> None:
    async with redis_client(server.port) as client:
        async with redis_counters(server.port) as counters:
            first = await counters.reserve([charge(limit=100)])
            counters.adjust([adjustment(first, 5)])
        assert await client.hget("k", "used") == "6"


async def test_nothing_is_owed_to_windows_that_end_while_redis_is_away(proxy: ProxyHandle) -> None:
    async with redis_counters(proxy.port) as counters:
        current = await counters.reserve([charge()])
        await proxy.disable()
        with pytest.raises(RedisConnectionError):
            await counters.reserve([charge()])
        counters.adjust([adjustment(current, 1), *(Adjustment("k", start, 1, 1) for start in range(100))])
        with pytest.raises(RedisConnectionError):
            await counters.reserve([charge()])
        assert [seconds for _, _, seconds in counters._owed] == [AGES]
