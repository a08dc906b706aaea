"""Limits, routes and filters on OpenAI's endpoints."""

import json
from typing import Any

import httpx
import pytest

from tests.api.services.limits.support import sample, until
from tests.api.support import RunService, ask
from tests.api.upstream import Upstream, completion, respond

pytestmark = pytest.mark.medium

TOKENS = '{"enterprise": "1000/day"}'
MESSAGES = [{"role": "user", "content": "Where is it?"}]
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"content": "There"}}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}},
]
STREAM = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in CHUNKS) + b"data: [DONE]\n\n"


async def chat(
    client: httpx.AsyncClient, *, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    body = {"model": "gpt-4o-secondary", "messages": MESSAGES, **fields}
    return await client.post("/v1/chat/completions", json=body, headers=headers)


def asked(upstream: Upstream) -> list[str]:
    return [json.loads(call["body"])["model"] for call in upstream.calls]


async def left(client: httpx.AsyncClient) -> int:
    """Tokens that are left after a request of 100."""
    return int((await chat(client, max_tokens=80)).headers["x-ratelimit-remaining-tokens"])


async def test_requests_end_in_openais_error_with_headers(
    run_service: RunService, upstream: Upstream
) -> None:
    async with run_service(rate_limits='{"enterprise": "2/day"}') as client:
        answers = [await chat(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    error = answers[2].json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert int(answers[2].headers["retry-after"]) > 0
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_whole_and_streamed_answers_settle_their_tokens(
    run_service: RunService, upstream: Upstream, *, stream: bool
) -> None:
    if stream:
        upstream.script.append(respond(body=STREAM, content_type="text/event-stream"))
    async with run_service(token_limits=TOKENS) as client:
        first = await chat(client, max_tokens=900, stream=stream)
        assert first.status_code == 200
        assert int(first.headers["x-ratelimit-remaining-tokens"]) < 100

        async def settled() -> bool:
            return await left(client) > 800

        await until(settled)


async def test_a_failed_request_gives_its_tokens_back(run_service: RunService, upstream: Upstream) -> None:
    upstream.script.append(respond(400))
    async with run_service(token_limits=TOKENS) as client:
        assert (await chat(client, max_tokens=900)).status_code == 400
        assert await left(client) > 850


@pytest.mark.parametrize("limit", ["many", -1, 0, 10**30, True, 1.5, None, [1]])
async def test_limits_that_are_none_are_the_backends_to_refuse(run_service: RunService, limit: Any) -> None:
    async with run_service(token_limits=TOKENS, daily_budgets='{"enterprise": 1}') as client:
        assert (await chat(client, max_tokens=limit, n=limit)).status_code == 200


async def test_every_choice_has_the_tokens_that_are_asked_for(run_service: RunService) -> None:
    async with run_service(token_limits=TOKENS) as client:
        answer = await chat(client, max_completion_tokens=300, n=4)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_many_tokens"


async def test_embeddings_are_counted(run_service: RunService, upstream: Upstream) -> None:
    body = {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    upstream.script.append(respond(body=json.dumps(body).encode()))
    async with run_service(token_limits=TOKENS) as client:
        answer = await client.post("/v1/embeddings", json={"model": "small", "input": "x" * 2000})
        assert answer.status_code == 200
        assert int(answer.headers["x-ratelimit-remaining-tokens"]) < 500
        assert await left(client) > 850


@pytest.mark.parametrize("stream", [False, True])
async def test_the_fallback_answers_for_a_model_that_is_rate_limited(
    run_service: RunService, upstream: Upstream, *, stream: bool
) -> None:
    upstream.script.append(respond(429, headers={"retry-after": "100"}))
    upstream.script.append(
        respond(body=STREAM, content_type="text/event-stream") if stream else completion("from the small one")
    )
    routes = '[{"requested": "gpt-4o-secondary", "model": "large", "fallback": "small"}]'
    before = sample("model_choices_total", model="small", reason="fallback")
    async with run_service(model_routes=routes) as client:
        answer = await chat(client, stream=stream)

    assert answer.status_code == 200
    assert asked(upstream) == ["large", "small"]
    assert answer.headers["x-model"] == "large"
    assert sample("model_choices_total", model="small", reason="fallback") == before + 1


async def test_callers_name_their_task_and_their_latency_budget(
    run_service: RunService, upstream: Upstream
) -> None:
    routes = '[{"task": "summary", "model": "reader"}, {"latency_budget": 2, "model": "fast"}]'
    async with run_service(model_routes=routes) as client:
        await chat(client, headers={"X-Task": "summary"})
        await chat(client, headers={"X-Latency-Budget": "1.5"})
        plain = await chat(client, headers={"X-Latency-Budget": "10"})
        wrong = await chat(client, headers={"X-Latency-Budget": "soon"})

    assert asked(upstream) == ["reader", "fast", "gpt-4o-secondary"]
    assert "x-model" not in plain.headers
    assert wrong.status_code == 400


async def test_variants_are_sticky_and_told(run_service: RunService, upstream: Upstream) -> None:
    variants = '{"gpt-4o-secondary": {"v1": 1, "v2": 1}}'
    async with run_service(model_variants=variants) as client:
        answers = [await chat(client) for _ in range(3)]

    assert len(set(asked(upstream))) == 1
    assert {answer.headers["x-model"] for answer in answers} == set(asked(upstream)) < {"v1", "v2"}
    assert answers[0].headers["x-model-reason"] == "variant"


async def test_filters_see_every_text_of_the_messages(run_service: RunService, upstream: Upstream) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    parts = [{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": f"line\n{key}"}]
    async with run_service(content_filters='["secrets"]') as client:
        refused = [
            await chat(client, messages=[*MESSAGES, {"role": "system", "content": content}])
            for content in (f"key {key}", parts)
        ]
        assert (await ask(client)).status_code == 200

    assert [answer.status_code for answer in refused] == [400, 400]
    assert refused[0].json()["error"]["code"] == "content_refused"
    assert len(upstream.calls) == 1
