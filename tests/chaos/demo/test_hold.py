import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from chaos.demo.board import Board
from chaos.demo.errors import NotThereError, WrongUseError
from chaos.demo.held import Flaky, HeldFault, Latency, Outage
from chaos.demo.hold import hold
from chaos.demo.model import ScriptedModel
from chaos.llm import ScriptedLLM
from chaos.recorder import Recorder
from chaos.toxiproxy import ProxyHandle, Toxiproxy, UnreachableError
from tests.chaos.demo.conftest import NO_SERVICE
from tests.chaos.toxiproxy.support import LIMIT, Server

pytestmark = pytest.mark.medium


@contextlib.asynccontextmanager
async def held(fault: HeldFault, seconds: float = LIMIT) -> AsyncIterator["asyncio.Task[str]"]:
    """Hold a fault in a task from when it is there, until the end of the context."""
    there = asyncio.Event()
    task = asyncio.create_task(hold(fault, seconds, lambda _left: there.set()))
    waiting = asyncio.create_task(there.wait())
    await asyncio.wait({task, waiting}, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    yield task
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def ask(port: int) -> int:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as http:
        return (await http.post("/v1/chat/completions", json={})).status_code


async def seconds_of_an_answer(proxy: ProxyHandle) -> float:
    began = time.monotonic()
    assert await ask(proxy.port) == 200
    return time.monotonic() - began


async def test_latency_lasts_until_its_end(board: Board, litellm: ProxyHandle) -> None:
    async with held(Latency(board, "litellm", 0.4), 2.0) as task:
        assert await seconds_of_an_answer(litellm) >= 0.4
        assert await task == "Healed, after 2 s: latency 400 ms on litellm."

    assert (await litellm.get()).toxics == ()


async def test_an_outage_refuses_until_it_is_interrupted(board: Board, litellm: ProxyHandle) -> None:
    async with held(Outage(board, "litellm")):
        with pytest.raises(httpx.ConnectError):
            await ask(litellm.port)

    assert await ask(litellm.port) == 200
    assert await board.faults() == []


async def test_the_seconds_that_are_left_become_fewer(board: Board, litellm: ProxyHandle) -> None:
    left: list[float] = []

    await hold(Outage(board, "litellm"), 0.6, left.append)

    assert len(left) >= 2
    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < left[0] <= 0.6


async def test_a_fault_that_another_command_heals_is_over(board: Board, litellm: ProxyHandle) -> None:
    async with held(Outage(board, "litellm")) as task:
        await board.heal_all()
        async with asyncio.timeout(LIMIT):
            assert await task == "Healed by another command: outage of litellm."


async def test_a_second_fault_of_a_kind_leaves_the_first_alone(board: Board, litellm: ProxyHandle) -> None:
    async with held(Outage(board, "litellm")):
        with pytest.raises(WrongUseError, match="There is one already: outage of litellm"):
            await hold(Outage(board, "litellm"), 5, lambda _left: None)
        assert not (await litellm.get()).enabled


async def test_faults_of_two_kinds_go_together(board: Board, litellm: ProxyHandle) -> None:
    async with held(Latency(board, "litellm", 1)):
        async with held(Outage(board, "litellm")):
            assert len(await board.faults()) == 2
        assert [fault.text for fault in await board.faults()] == ["latency 1 s on litellm"]


async def test_a_proxy_that_does_not_exist_is_told_with_those_that_do(
    board: Board, litellm: ProxyHandle
) -> None:
    with pytest.raises(WrongUseError, match="There is no proxy 'redis'; there are litellm"):
        await hold(Outage(board, "redis"), 5, lambda _left: None)


async def test_a_server_that_goes_away_takes_its_faults_along(own_server: Server) -> None:
    async with Toxiproxy(own_server.url) as toxiproxy:
        await toxiproxy.create("litellm", "127.0.0.1:9")
        async with held(Outage(Board(toxiproxy, NO_SERVICE), "litellm")) as task:
            own_server.process.terminate()
            with pytest.raises(UnreachableError):
                await task


async def test_flaky_is_over_when_the_calls_have_failed(llm: ScriptedLLM) -> None:
    async with ScriptedModel(llm.url) as model, held(Flaky(model, 2)) as task:
        assert [await ask(llm.port) for _ in range(3)] == [503, 503, 200]
        assert await task == "Over: 2 calls have failed, and the model answers again."


async def test_flaky_ends_with_its_command(llm: ScriptedLLM) -> None:
    async with ScriptedModel(llm.url) as model:
        async with held(Flaky(model, 2)):
            assert await ask(llm.port) == 503
        assert await ask(llm.port) == 200
        assert await model.left() is None


async def test_a_model_that_takes_no_orders_is_told() -> None:

    async with ScriptedLLM(Recorder()) as llm, ScriptedModel(llm.url) as model:
        with pytest.raises(NotThereError, match="not a scripted model that takes orders"):
            await hold(Flaky(model, 2), 5, lambda _left: None)


async def test_a_model_that_is_not_there_is_told() -> None:
    async with ScriptedModel(NO_SERVICE) as model:
        with pytest.raises(NotThereError, match="No scripted model answers"):
            await hold(Flaky(model, 2), 5, lambda _left: None)
