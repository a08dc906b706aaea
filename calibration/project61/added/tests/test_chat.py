"""Chat, streams, embeddings and models, through the whole gateway."""

import asyncio

import httpx
import pytest
from backend import Backend
from conftest import Run, chat


async def test_a_chat(client: httpx.AsyncClient) -> None:
    answer = await chat(client, "Where is it?")
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "You said: Where is it?"


async def test_a_stream_has_every_word(client: httpx.AsyncClient) -> None:
    answer = await chat(client, "one two three", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert all(word in answer.text for word in ("one", "two", "three"))


async def test_a_stream_that_breaks_has_begun_as_a_stream(client: httpx.AsyncClient, backend: Backend) -> None:
    backend.breaks = True
    answer = await chat(client, "one two three", stream=True)
    assert answer.status_code == 200
    assert "three" not in answer.text


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b'{"model": "small"}', b'{"model": "small", "messages": []}'])
async def test_a_request_that_is_none(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400


async def test_a_failure_that_passes(client: httpx.AsyncClient, backend: Backend) -> None:
    backend.failures.append(503)
    answer = await chat(client)
    assert answer.status_code == 200
    assert len(backend.asked) == 2


async def test_a_backend_that_is_down(client: httpx.AsyncClient, backend: Backend) -> None:
    backend.failures.extend([500] * 50)
    statuses = {(await chat(client)).status_code for _ in range(8)}
    assert statuses <= {502, 503}


async def test_a_limit_of_the_backend(client: httpx.AsyncClient, backend: Backend) -> None:
    backend.failures.extend([429] * 10)
    assert (await chat(client)).status_code == 429


async def test_embeddings(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/embeddings", json={"model": "small", "input": ["a", "bc"]})
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == 2


async def test_models(client: httpx.AsyncClient) -> None:
    listed = await client.get("/v1/models")
    assert listed.status_code == 200
    assert (await client.get("/v1/models/no-such-model")).status_code == 404


async def test_a_prompt_is_answered_from_the_cache_the_second_time(run: Run, backend: Backend) -> None:
    prompt = {"model": "gpt-4o-secondary", "prompt": "Hello?", "system_prompt": "Be short."}
    async with run(qdrant_url=backend.url) as client:
        for _ in range(3):
            answer = await client.post("/llm/generate", json=prompt)
            assert answer.json()["response"] == "You said: Hello?"
            await asyncio.sleep(0.2)
        stats = (await client.get("/llm/cache/stats")).json()
        assert stats["hits"] + stats["misses"] == 3
        assert (await client.delete("/llm/cache/clear")).json()["cleared"] == 1
        assert (await client.get("/llm/models")).status_code == 200


@pytest.mark.parametrize("in_qdrant", [False, True])
async def test_a_question_in_other_words(run: Run, backend: Backend, in_qdrant: bool) -> None:
    settings = {"qdrant_url": backend.url} if in_qdrant else {}
    async with run(semantic_cache='{"model": "small", "threshold": 0.9}', **settings) as client:
        for question in ("Where is the key kept?", "Where is the key held?"):
            answer = await chat(client, question)
            assert answer.status_code == 200
            await asyncio.sleep(0.2)
    assert backend.asked


async def test_requests_are_routed(run: Run, backend: Backend) -> None:
    routes = '[{"task": "summary", "model": "large"}, {"requested": "alias", "model": "large", "fallback": "small"}]'
    async with run(model_routes=routes, model_variants='{"split": {"one": 1, "two": 1}}') as client:
        answers = [await chat(client, model=name) for name in ("alias", "split", "small")]
        backend.failures.extend([429] * 4)
        answers.append(await chat(client, model="alias"))
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]


async def test_secrets_are_not_handed_on(run: Run, backend: Backend) -> None:
    async with run(content_filters='["secrets", "personal_data"]') as client:
        refused = await chat(client, "my card is 4111 1111 1111 1111, and my mail ada@example.org")
        allowed = await chat(client, "my card is blue")
    assert refused.status_code == 400
    assert allowed.status_code == 200
    assert len(backend.asked) == 1


async def test_traces_reach_mlflow(run: Run, backend: Backend) -> None:
    async with run() as client:
        await client.post("/llm/generate", json={"model": "gpt-4o-secondary", "prompt": "Hello?"})
    assert backend.traces >= 1
