"""Each answer is reported once, at its end, with what it used: whole, streamed, cached, failed or abandoned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import structlog

from api.services.answered import Answered, Observers
from api.services.cache import ResponseCache
from api.services.callers import Caller, Permission, Tier
from api.services.circuit_breaker import CircuitBreaker
from api.services.errors import LLMBadRequestError
from api.services.gateway import Gateway, is_outage
from api.services.llm_client import LLMClient
from api.services.llm_service import LLMService
from chaos.llm import Answer, BrokenStream, ScriptedLLM, StalledStream, Status
from chaos.recorder import Recorder
from tests.api.support import REFUSED, Records

pytestmark = pytest.mark.medium

CALLER = Caller("admin", Tier.FREE, frozenset(Permission))
FIELDS: dict[str, Any] = {
    "model": "gpt-4o-secondary",
    "messages": [{"role": "user", "content": "Where is it?"}],
}
STREAMED = {**FIELDS, "stream": True}


@pytest.fixture
async def model() -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(Recorder()) as scripted:
        scripted.default(Answer(content="It is there.", usage=(1000, 100), cost=None))
        yield scripted


@pytest.fixture
def reports() -> list[Answered]:
    return []


@pytest.fixture
async def llm(model: ScriptedLLM, reports: list[Answered]) -> AsyncIterator[LLMService]:
    client = LLMClient(base_url=model.url, api_key="", connect_timeout=1, read_timeout=20)
    breaker = CircuitBreaker(is_failure=is_outage)
    cache = ResponseCache(url=REFUSED, collection="c", ttl=1)
    gateway = Gateway(client, breaker=breaker, deadline=10, idle=10, label=str)

    def fail(_answered: Answered) -> None:
        raise RuntimeError("an observer's own trouble")

    yield LLMService(gateway, cache=cache, observers=Observers([fail, reports.append]))
    await cache.close()
    await client.close()


async def stream(llm: LLMService) -> list[bytes]:
    first, rest = await llm.stream(STREAMED, CALLER)
    return [first, *[event async for event in rest]]


async def test_a_whole_answer(llm: LLMService, reports: list[Answered], records: Records) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        await llm.complete(FIELDS, CALLER)
    (report,) = reports
    assert (report.request_id, report.caller, report.model, report.status) == (
        "r1",
        CALLER,
        "gpt-4o-secondary",
        "ok",
    )
    assert (report.prompt_tokens, report.completion_tokens, report.estimated) == (1000, 100, False)
    assert report.cost == pytest.approx(0.0035)
    assert (report.response, report.streamed, report.cached) == ("It is there.", False, False)
    assert report.latency > 0
    assert any(record["message"] == "an answer was not counted" for record in records())


async def test_the_cost_is_the_gateways_if_it_says(
    llm: LLMService, model: ScriptedLLM, reports: list[Answered]
) -> None:
    model.default(Answer(cost=0.25))
    await llm.complete(FIELDS, CALLER)
    assert reports[0].cost == 0.25


async def test_a_stream_counts_though_nobody_asked_for_its_usage(
    llm: LLMService, reports: list[Answered]
) -> None:
    await stream(llm)
    (report,) = reports
    assert (report.prompt_tokens, report.completion_tokens, report.estimated) == (1000, 100, False)
    assert (report.response, report.streamed, report.status) == ("It is there.", True, "ok")


async def test_a_failure(llm: LLMService, model: ScriptedLLM, reports: list[Answered]) -> None:
    model.default(Status(400))
    with pytest.raises(LLMBadRequestError):
        await llm.stream(STREAMED, CALLER)
    with pytest.raises(LLMBadRequestError):
        await llm.complete(FIELDS, CALLER)
    assert [(report.status, report.prompt_tokens) for report in reports] == [("bad_request", 0)] * 2


async def test_a_stream_that_breaks_has_used_about_what_was_sent(
    llm: LLMService, model: ScriptedLLM, reports: list[Answered]
) -> None:
    model.default(BrokenStream())
    await stream(llm)
    (report,) = reports
    assert (report.status, report.estimated) == ("upstream_malformed", True)
    assert report.prompt_tokens > 5
    assert report.completion_tokens > 2


async def test_a_stream_that_is_left_has_as_well(
    llm: LLMService, model: ScriptedLLM, reports: list[Answered]
) -> None:
    model.default(StalledStream())
    first, rest = await llm.stream(STREAMED, CALLER)
    async with aclosing(rest):
        await anext(rest)
    assert first
    (report,) = reports
    assert (report.status, report.estimated) == ("client_closed_request", True)
    assert report.completion_tokens == 2


async def test_whoever_leaves_before_the_answer_has_used_nothing(
    llm: LLMService, model: ScriptedLLM, reports: list[Answered]
) -> None:
    model.default(Answer(delay=60))
    asking = asyncio.create_task(llm.complete(FIELDS, CALLER))
    await model.wait_for_calls(1)
    asking.cancel()
    await asyncio.wait({asking})
    assert [(report.status, report.cost) for report in reports] == [("client_closed_request", 0.0)]
