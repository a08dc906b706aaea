"""Limits of the whole service: on one instance, and on several that share Redis."""

import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from api.config.app import create_app
from api.config.settings import Settings
from api.routers.limits import Limited
from chaos.ports import free_port
from chaos.process import Process
from chaos.proxy_server import proxy_server
from chaos.recorder import Recorder
from chaos.redis import RedisServer
from tests.api.support import Records, RunService, ask
from tests.api.upstream import Upstream, respond
from tests.connections import serving

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parents[2]
HOUR = 3600
CALLERS = 50


async def test_without_settings_there_is_no_limit_and_no_header(service: httpx.AsyncClient) -> None:
    answer = await ask(service)

    assert answer.status_code == 200
    assert not [name for name in answer.headers if "ratelimit" in name]


async def test_a_limit_is_told_in_headers_and_ends_in_429(
    run_service: RunService, upstream: Upstream
) -> None:
    async with run_service(rate_limits='{"enterprise": "2/day"}') as client:
        answers = [await ask(client, prompt=f"question {i}") for i in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"2"}
    refused = answers[-1]
    assert refused.json()["error"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) == int(refused.headers["x-ratelimit-reset"])
    assert len(upstream.calls) == 2


async def test_failures_carry_the_headers_too(run_service: RunService, upstream: Upstream) -> None:
    upstream.otherwise = respond(400)
    async with run_service(rate_limits='{"enterprise": "2/day"}') as client:
        answer = await ask(client)

    assert answer.status_code == 400
    assert answer.headers["x-ratelimit-remaining"] == "1"


async def test_tokens_and_costs_are_settled_by_the_answer(
    run_service: RunService, upstream: Upstream
) -> None:
    settings = {
        "token_limits": '{"enterprise": "1000/day"}',
        "daily_budgets": '{"user:admin": 0.00006}',
        "redis_timeout": "5",
    }
    async with run_service(**settings) as client:
        # A budget does not wait for the database, which is being opened.
        while (await client.get("/v1/usage")).status_code != 200:
            await asyncio.sleep(0.05)
        first = await ask(client, prompt="one", max_tokens=900)
        second = await ask(client, prompt="two", max_tokens=2000)
        third = await ask(client, prompt="three", max_tokens=900)

    assert first.headers["x-ratelimit-remaining-tokens"] == "99"
    assert (second.status_code, second.json()["error"]) == (413, "too_many_tokens")
    # The stub's 12 tokens cost 0.0000675 dollars.
    assert (third.status_code, third.json()["error"]) == (429, "budget_exceeded")
    assert third.headers["x-ratelimit-remaining-tokens"] == "988"
    assert len(upstream.calls) == 1


async def test_a_user_without_a_token_is_not_counted(run_service: RunService) -> None:
    async with run_service(rate_limits='{"enterprise": "1/day"}') as client:
        for _ in range(3):
            assert (await client.post("/llm/generate", headers={"Authorization": "x"})).status_code == 401
        assert (await ask(client)).status_code == 200


async def test_while_redis_hangs_requests_are_answered_and_counted(
    run_service: RunService, records: Records
) -> None:
    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(hang) as port:
        limits = {"rate_limits": '{"enterprise": "7/day"}', "redis_url": f"redis://127.0.0.1:{port}"}
        async with run_service(**limits) as client:
            answers = [await ask(client, prompt=f"question {i}") for i in range(9)]

    assert [answer.status_code for answer in answers] == [200] * 7 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == [*"6543210", "0", "0"]
    assert [record["message"] for record in records() if record["logger"] == "api.limits"] == [
        "Redis does not answer in time: limits are kept in this process"
    ]


async def test_an_endpoint_without_tokens_is_counted_by_a_dependency(
    run_service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def who(caller: Limited) -> str:
        return caller.user

    def create(settings: Settings) -> FastAPI:
        app = create_app(settings)
        app.add_api_route("/counted", who)
        return app

    monkeypatch.setattr("tests.api.conftest.create_app", create)
    async with run_service(
        rate_limits='{"enterprise": "1/day"}', token_limits='{"enterprise": "5/day"}'
    ) as client:
        answers = [await client.get("/counted") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].json() == "admin"
    assert answers[1].headers["x-ratelimit-remaining-tokens"] == "5"


@contextlib.asynccontextmanager
async def instance(variables: dict[str, str], workers: int) -> AsyncIterator[str]:
    """The URL of a service of its own process or processes, in which callers name their tier."""
    port = free_port()
    command = ["-m", "uvicorn", "tests.api.tiered_app:app", "--app-dir", ".", "--port", str(port)]
    process = await Process.start(
        [sys.executable, *command, "--workers", str(workers)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **variables},
        recorder=Recorder(),
    )
    async with process:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while process.running:
                with contextlib.suppress(httpx.TransportError):
                    await client.get(f"{url}/health")
                    break
                await asyncio.sleep(0.05)
        yield url


def windows(began: float) -> int:
    """How many windows of an hour have been touched since."""
    return int(time.time()) // HOUR - int(began) // HOUR + 1


async def local_decisions(client: httpx.AsyncClient, url: str) -> float:
    families = text_string_to_metric_families((await client.get(f"{url}/metrics")).text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "limits_local_total"
    )


@pytest.mark.slow
async def test_instances_and_workers_share_limits(variables: dict[str, str], upstream: Upstream) -> None:
    limits = {"free": 20, "premium": 45, "enterprise": 70}
    async with (
        RedisServer(Recorder()) as redis,
        proxy_server(seed=1, env={"PATH": os.environ["PATH"]}) as running,
    ):
        proxy = await running.client.create("redis", f"127.0.0.1:{redis.port}")
        shared = {
            **variables,
            "LITELLM_URL": upstream.url,
            "REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
            "REDIS_TIMEOUT": "5",  # a busy machine must not make Redis look slow
            "RATE_LIMITS": '{"free": "20/hour", "premium": "45/hour", "enterprise": "70/hour"}',
        }
        async with (
            instance(shared, workers=1) as one,
            instance(shared, workers=2) as two,
            httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=CALLERS)) as client,
        ):
            began = time.time()
            admitted: Counter[str] = Counter()

            async def call(number: int) -> None:
                for i, tier in enumerate(list(limits) * 3):
                    answer = await client.post(
                        f"{(one, two)[(number + i) % 2]}/llm/generate",
                        json={"model": "gpt-4o-secondary", "prompt": f"question {number} {i}"},
                        headers={"Authorization": f"Bearer {tier}"},
                    )
                    assert answer.status_code in {200, 429}, answer.text
                    assert "x-ratelimit-remaining" in answer.headers
                    admitted[tier] += answer.status_code == 200

            await asyncio.gather(*(call(number) for number in range(CALLERS)))

            for tier, limit in limits.items():
                assert limit <= admitted[tier] <= limit * windows(began), tier

            await proxy.disable()
            for tier in limits:
                answer = await client.post(
                    f"{one}/llm/generate",
                    json={"model": "gpt-4o-secondary", "prompt": "without Redis"},
                    headers={"Authorization": f"Bearer {tier}"},
                )
                assert answer.status_code in ({429} if windows(began) == 1 else {200, 429}), answer.text
            assert await local_decisions(client, one) == len(limits)
