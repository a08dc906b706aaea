from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chaos.http_server import HttpRequest
from chaos.llm import ScriptedLLM
from chaos.llm.failures import PATH, Failures
from chaos.recorder import Recorder


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(Recorder(), controls=True) as llm:
        yield llm


@pytest.fixture
async def http(llm: ScriptedLLM) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=llm.url, trust_env=False) as http:
        yield http


async def ask(http: httpx.AsyncClient) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "Is anybody there?"}]}
    return (await http.post("/v1/chat/completions", json=body)).status_code


async def test_the_next_calls_fail_and_then_none(http: httpx.AsyncClient) -> None:
    ordered = await http.put(PATH, json={"count": 2, "seconds": 60})

    assert ordered.json()["left"] == 2
    assert [await ask(http) for _ in range(3)] == [503, 503, 200]
    left = (await http.get(PATH)).json()
    assert (left["count"], left["left"]) == (2, 0)
    assert 50 < left["seconds_left"] <= 60


async def test_what_is_taken_back_fails_nothing(http: httpx.AsyncClient) -> None:
    await http.put(PATH, json={"count": 2, "seconds": 60})

    assert (await http.delete(PATH)).status_code == 204
    assert await ask(http) == 200
    assert (await http.get(PATH)).status_code == 404
    assert (await http.delete(PATH)).status_code == 204


async def test_the_order_is_no_call_of_the_journal(llm: ScriptedLLM, http: httpx.AsyncClient) -> None:
    await http.put(PATH, json={"count": 1, "seconds": 60})
    await ask(http)

    assert [call.step for call in llm.calls()] == ["status 503"]


@pytest.mark.parametrize(
    "order", [{}, {"count": 0, "seconds": 1}, {"count": 1, "seconds": 0}, {"count": 1}, [], "x"]
)
async def test_an_order_that_makes_no_sense_is_refused(http: httpx.AsyncClient, order: Any) -> None:
    assert (await http.put(PATH, json=order)).status_code == 400
    assert await ask(http) == 200


async def test_other_methods_are_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post(PATH)).status_code == 405


async def test_a_service_that_is_graded_cannot_script_its_model() -> None:
    async with ScriptedLLM(Recorder()) as llm, httpx.AsyncClient(base_url=llm.url, trust_env=False) as http:
        assert (await http.put(PATH, json={"count": 2, "seconds": 60})).status_code == 404
        assert await ask(http) == 200


def test_an_order_does_not_outlive_its_time() -> None:
    now = 0.0
    failures = Failures(lambda: now)
    failures.serve(HttpRequest("PUT", PATH, "", {}, b'{"count": 2, "seconds": 5}', 1))

    now = 4.9
    assert failures.advance()
    now = 5.0
    assert failures.advance() is None
    assert failures.serve(HttpRequest("GET", PATH, "", {}, b"", 1))[0] == 404
