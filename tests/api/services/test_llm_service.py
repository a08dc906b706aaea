"""Retry, breaker, deadline, cache and trace together, from the outside."""

import asyncio
import itertools
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.utils import retry
from tests.api.support import Records, RunService, ask
from tests.api.upstream import Behaviour, Upstream, completion, drip, hang, reset, respond

pytestmark = pytest.mark.medium


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the real ones; that those are 1, 2 and 4 seconds is tested where they are made."""
    monkeypatch.setattr(retry, "equal_jitter", lambda cap, _uniform: cap / 100)


async def traces(path: Path, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        while not path.exists() or len(path.read_text().splitlines()) < count:  # noqa: ASYNC240  a tiny local file
            await asyncio.sleep(0.01)
    return [json.loads(line) for line in path.read_text().splitlines()]  # noqa: ASYNC240


async def test_answers(service: httpx.AsyncClient) -> None:
    answer = await ask(service)
    assert answer.status_code == 200
    assert answer.json() == {
        "response": "Hello",
        "model": "gpt-4o-secondary",
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "cost": pytest.approx(0.0000675),
        "cached": False,
    }


@pytest.mark.parametrize(
    "failure", [reset, respond(500), respond(503), respond(408), respond(409), respond(429)]
)
async def test_a_passing_failure_goes_unnoticed(
    service: httpx.AsyncClient, upstream: Upstream, failure: Behaviour
) -> None:
    upstream.script.extend([failure, failure])
    assert (await ask(service)).status_code == 200
    assert len(upstream.calls) == 3


async def test_what_is_hopeless_is_tried_once(service: httpx.AsyncClient, upstream: Upstream) -> None:
    for status, expected in {400: 400, 401: 502, 403: 502, 404: 404, 422: 422, 200: 502}.items():
        upstream.calls.clear()
        upstream.otherwise = respond(status)
        assert (await ask(service)).status_code == expected
        assert len(upstream.calls) == 1


async def test_gives_up_after_three_retries(service: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.otherwise = respond(500, b'{"error": {"message": "at /srv/app.py"}}')
    answer = await ask(service)
    assert answer.status_code == 502
    assert len(upstream.calls) == 4
    assert "/srv" not in answer.text


async def test_honours_retry_after(service: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script.append(respond(429, headers={"Retry-After": "1"}))
    assert (await ask(service)).status_code == 200
    first, second = upstream.times
    assert second - first >= 1


async def test_passes_on_a_retry_after_that_it_cannot_wait_for(
    service: httpx.AsyncClient, upstream: Upstream
) -> None:
    upstream.otherwise = respond(429, headers={"Retry-After": "60"})
    answer = await ask(service)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("behaviour", [hang, drip])
async def test_the_deadline_spans_everything(
    run_service: RunService, upstream: Upstream, behaviour: Behaviour
) -> None:
    upstream.script.append(respond(500))
    upstream.otherwise = behaviour
    async with run_service(llm_deadline=0.5) as client:
        began = asyncio.get_running_loop().time()
        answer = await ask(client)
        assert answer.status_code == 504
        assert 0.5 <= asyncio.get_running_loop().time() - began < 3
        assert (await client.get("/health")).status_code == 200


async def test_liveness_does_not_wait_for_a_hanging_model(
    service: httpx.AsyncClient, upstream: Upstream
) -> None:
    upstream.otherwise = hang
    asking = [asyncio.create_task(ask(service, str(n))) for n in range(20)]
    async with asyncio.timeout(5):
        await upstream.called.wait()
    async with asyncio.timeout(1):
        assert (await service.get("/health")).status_code == 200
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)


@pytest.mark.slow
async def test_the_breaker_opens_and_closes_again(run_service: RunService, upstream: Upstream) -> None:
    # Long enough for a busy machine to ask twenty times while it lasts.
    cooldown = 4.0
    async with run_service(breaker_cooldown=cooldown) as client:
        upstream.otherwise = respond(500)
        assert [(await ask(client)).status_code for _ in range(2)] == [502, 502]
        assert len(upstream.calls) == 5, "the retries end when the breaker opens"

        answers = await asyncio.gather(*(ask(client) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {503}
        assert {int(answer.headers["retry-after"]) for answer in answers} <= {1, 2, 3, 4}
        assert len(upstream.calls) == 5
        assert (await client.get("/health/detailed")).json()["checks"]["circuit_breaker"]["state"] == "open"

        recovered = asyncio.Event()

        async def answer_then(writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
            await recovered.wait()
            await completion()(writer, request)

        upstream.otherwise = answer_then
        await asyncio.sleep(cooldown + 0.05)
        asking = {asyncio.create_task(ask(client, str(n))) for n in range(50)}
        refused = [await next_done for next_done in itertools.islice(asyncio.as_completed(asking), 49)]
        assert {answer.status_code for answer in refused} == {503}
        assert len(upstream.calls) == 6
        recovered.set()
        assert (
            sorted(task.result().status_code for task in (await asyncio.wait(asking))[0])
            == [200] + [503] * 49
        )
        assert (await ask(client)).status_code == 200


async def test_refusals_do_not_open_the_breaker(service: httpx.AsyncClient, upstream: Upstream) -> None:
    for status in (400, 401, 403, 404, 422, 429):
        upstream.otherwise = respond(status, headers={"Retry-After": "60"})
        for _ in range(6):
            await ask(service)
    upstream.otherwise = completion()
    assert (await ask(service)).status_code == 200
    assert len(upstream.calls) == 37


async def test_a_refusal_as_probe_closes_the_breaker(run_service: RunService, upstream: Upstream) -> None:
    async with run_service(breaker_cooldown=0.1) as client:
        upstream.otherwise = respond(500)
        await ask(client)
        await ask(client)
        await asyncio.sleep(0.15)
        upstream.otherwise = respond(400)
        assert (await ask(client)).status_code == 400
        upstream.otherwise = completion()
        assert (await ask(client)).status_code == 200


async def test_clients_that_leave_neither_open_the_breaker_nor_keep_the_model_busy(
    service: httpx.AsyncClient, upstream: Upstream, variables: dict[str, str]
) -> None:
    upstream.otherwise = hang
    for number in range(8):
        upstream.called.clear()
        upstream.hung_up.clear()
        asking = asyncio.create_task(ask(service, str(number)))
        async with asyncio.timeout(5):
            await upstream.called.wait()
            asking.cancel()
            await upstream.hung_up.wait()
    report = (await service.get("/health/detailed")).json()
    assert report["checks"]["circuit_breaker"] == {"state": "closed", "failures": 0, "retry_after": 0.0}
    kept = await traces(Path(variables["TRACE_FALLBACK_PATH"]), 8)
    assert {trace["error"] for trace in kept} == {"client_closed_request"}


async def test_traces_of_answers_and_failures_are_kept_while_mlflow_is_down(
    service: httpx.AsyncClient, upstream: Upstream, variables: dict[str, str]
) -> None:
    answered = await ask(service, "What?")
    upstream.otherwise = respond(400)
    refused = await ask(service, "Why?")
    first, second = await traces(Path(variables["TRACE_FALLBACK_PATH"]), 2)
    assert (first["prompt"], first["response"], first["error"]) == ("What?", "Hello", None)
    assert (first["model"], first["total_tokens"]) == ("gpt-4o-secondary", 12)
    assert (second["prompt"], second["response"], second["error"]) == ("Why?", None, "bad_request")
    ids = [answer.headers["x-request-id"] for answer in (answered, refused)]
    assert [first["request_id"], second["request_id"]] == ids


async def test_retries_are_logged_with_the_request(
    service: httpx.AsyncClient, upstream: Upstream, records: Records
) -> None:
    upstream.script.append(respond(500))
    answer = await ask(service)
    (retrying,) = [record for record in records() if record["message"] == "retrying"]
    assert retrying["request_id"] == answer.headers["x-request-id"]
    assert retrying["level"] == "warning"


@pytest.mark.parametrize("dependency", ["QDRANT_URL", "MLFLOW_TRACKING_URI"])
async def test_a_hanging_dependency_costs_nothing(
    run_service: RunService, variables: dict[str, str], dependency: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections, and never answers
        variables[dependency] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with run_service() as client:
            began = asyncio.get_running_loop().time()
            for number in range(3):
                assert (await ask(client, str(number))).status_code == 200
            assert asyncio.get_running_loop().time() - began < 2
    assert len(await traces(Path(variables["TRACE_FALLBACK_PATH"]), 3)) == 3
