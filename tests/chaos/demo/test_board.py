import time

from chaos.demo.board import GRACE, Board
from chaos.demo.mark import Mark
from chaos.toxiproxy import ProxyHandle

LATER = 4102444800  # in the year 2100
LONG_AGO = 1763730000


async def cut_off(proxy: ProxyHandle, until: int) -> None:
    await proxy.add_toxic("noop", name=Mark("outage", until).name)
    await proxy.disable()


async def test_what_is_overdue_is_healed(board: Board, litellm: ProxyHandle) -> None:
    await litellm.add_toxic("latency", name=Mark("latency", LONG_AGO).name, latency=5000)
    await cut_off(litellm, LONG_AGO)

    healed = await board.heal_overdue()

    assert {fault.text for fault in healed} == {"latency 5 s on litellm", "outage of litellm"}
    proxy = await litellm.get()
    assert proxy.enabled
    assert proxy.toxics == ()


async def test_what_is_not_overdue_is_left_to_who_holds_it(board: Board, litellm: ProxyHandle) -> None:
    await cut_off(litellm, LATER)

    assert await board.heal_overdue() == []
    assert not (await litellm.get()).enabled


async def test_who_holds_a_fault_has_a_moment_to_heal_it(litellm: ProxyHandle) -> None:
    await cut_off(litellm, LATER)
    now = LATER + GRACE
    board = Board(litellm.server, "http://127.0.0.1:9", now=lambda: now)

    assert await board.heal_overdue() == []
    now += 0.1
    assert len(await board.heal_overdue()) == 1


async def test_the_faults_of_others_are_told_and_have_no_end(board: Board, litellm: ProxyHandle) -> None:
    await litellm.add_toxic("bandwidth", rate=1)
    await litellm.disable()

    told = [fault.describe(time.time()) for fault in await board.faults()]

    assert [text.split(" (not set by")[0] for text in told] == [
        "toxic bandwidth_downstream (bandwidth) on litellm",
        "outage of litellm",
    ]
    assert await board.heal_overdue() == []


async def test_all_is_healed_on_request_whoever_has_set_it(board: Board, litellm: ProxyHandle) -> None:
    await litellm.add_toxic("bandwidth", rate=1)
    await cut_off(litellm, LATER)

    assert len(await board.heal_all()) == 2
    assert await board.faults() == []
    assert (await litellm.get()).enabled


async def test_the_seconds_that_are_left_are_told(board: Board, litellm: ProxyHandle) -> None:
    await litellm.add_toxic("latency", name=Mark("latency", LATER).name, latency=500)

    (fault,) = await board.faults()

    assert fault.describe(LATER - 42.4) == "latency 500 ms on litellm (42 s left)"
    assert fault.describe(LATER + 1) == "latency 500 ms on litellm (0 s left)"
