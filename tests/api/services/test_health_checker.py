import asyncio

import pytest

from api.services.health_checker import HealthChecker


async def fine() -> None:
    pass


async def refuse() -> None:
    raise ConnectionRefusedError


async def hang() -> None:
    await asyncio.Event().wait()


async def test_names_what_is_down() -> None:
    report = await HealthChecker({"good": fine, "bad": refuse}).report()
    assert report["good"].healthy
    assert not report["bad"].healthy
    assert report["bad"].error == "ConnectionRefusedError"


async def test_takes_as_long_as_the_slowest_and_not_the_sum() -> None:
    checker = HealthChecker({"a": hang, "b": hang, "c": hang, "d": fine}, timeout=0.2)
    began = asyncio.get_running_loop().time()
    report = await checker.report()
    assert 0.2 <= asyncio.get_running_loop().time() - began < 0.55
    assert [result.healthy for result in report.values()] == [False, False, False, True]
    assert report["a"].error == "timeout"


@pytest.mark.parametrize(("ttl", "probes"), [(60.0, 1), (0.0, 2)])
async def test_a_hundred_callers_share_a_probe(ttl: float, probes: int) -> None:
    count = 0

    async def check() -> None:
        nonlocal count
        count += 1
        await asyncio.sleep(0.01)

    checker = HealthChecker({"it": check}, ttl=ttl)
    await asyncio.gather(*(checker.report() for _ in range(100)))
    await checker.report()
    assert count == probes


async def test_a_caller_that_leaves_does_not_take_the_report_with_it() -> None:
    gate = asyncio.Event()

    async def check() -> None:
        await gate.wait()

    checker = HealthChecker({"it": check})
    leaving = asyncio.create_task(checker.report())
    staying = asyncio.create_task(checker.report())
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.wait([leaving])
    gate.set()
    assert (await staying)["it"].healthy
