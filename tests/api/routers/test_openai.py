"""OpenAI's API on a real socket, asked by OpenAI's own client and by LangChain; the model is the scripted one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import SecretStr

from api.utils import retry
from chaos.history import Upstream as UpstreamName
from chaos.llm import (
    Answer,
    BrokenStream,
    Drip,
    EmptyObject,
    ErrorInStream,
    Hang,
    Held,
    MalformedJson,
    NoChoices,
    RateLimited,
    Reset,
    ScriptedLLM,
    StalledStream,
    Status,
    Step,
    Truncated,
    WrongContentType,
)
from chaos.recorder import Recorder
from tests.api.support import Records, RunService
from tests.api.upstream import Upstream

pytestmark = pytest.mark.medium

MODEL = "gpt-4o-secondary"
MESSAGES: Any = [{"role": "user", "content": "Where is it?"}]
WORDS = "It is on the second shelf."
LITELLM: UpstreamName = "litellm"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "equal_jitter", lambda cap, _uniform: cap / 100)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(Recorder(), models=["small", "org/large"]) as scripted:
        scripted.default(Answer(content=WORDS, usage=(11, 6), cost=None))
        yield scripted


@pytest.fixture
def run(run_service: RunService, model: ScriptedLLM) -> RunService:
    @asynccontextmanager
    async def run_with_model(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with run_service(litellm_url=model.url, **settings) as client:
            yield client

    return run_with_model


@pytest.fixture
async def service(run: RunService) -> AsyncIterator[httpx.AsyncClient]:
    async with run() as client:
        yield client


@asynccontextmanager
async def sdk(service: httpx.AsyncClient) -> AsyncIterator[AsyncOpenAI]:
    token = service.headers["Authorization"].removeprefix("Bearer ")
    async with AsyncOpenAI(
        base_url=str(service.base_url.join("/v1")), api_key=token, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def client(service: httpx.AsyncClient) -> AsyncIterator[AsyncOpenAI]:
    async with sdk(service) as client:
        yield client


async def chat(service: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await service.post("/v1/chat/completions", json={"model": MODEL, "messages": MESSAGES, **fields})


def sent(model: ScriptedLLM) -> Any:
    return json.loads(model.calls()[-1].asked or "")


def events(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def text(chunks: list[Any]) -> str:
    return "".join(
        chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk.get("choices")
    )


async def test_a_chat(client: AsyncOpenAI, model: ScriptedLLM) -> None:
    answer = await client.chat.completions.create(
        model=MODEL,
        messages=MESSAGES,
        temperature=0.2,
        tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        response_format={"type": "json_object"},
        seed=7,
        extra_body={"of_tomorrow": {"yes": [1, None]}},
    )
    assert answer.choices[0].message.content == WORDS
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 6)
    assert sent(model) == {
        "model": MODEL,
        "messages": MESSAGES,
        "temperature": 0.2,
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_object"},
        "seed": 7,
        "of_tomorrow": {"yes": [1, None]},
    }


@pytest.mark.parametrize("asked", [True, False])
async def test_a_streamed_chat(client: AsyncOpenAI, model: ScriptedLLM, *, asked: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, **options)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == WORDS
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in usages] == [(11, 6)] * asked
    assert all(chunk.choices for chunk in chunks) != asked, "the extra chunk is for whoever asked"
    assert sent(model)["stream_options"] == {"include_usage": True}


async def test_other_options_of_a_stream_are_kept(service: httpx.AsyncClient, model: ScriptedLLM) -> None:
    await chat(service, stream=True, stream_options={"include_obfuscation": False})
    assert sent(model)["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_the_bytes_of_a_stream_are_the_backends(run_service: RunService, upstream: Upstream) -> None:
    chunks = [
        b": hello\n\n",
        b'data: {"choices": [], "prompt_filter_results": [ ]}\r\n\r\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\u00e9"}}]}}]}\n\n',
        b'event: x\ndata: {"choices": [{"index":0,\ndata: "delta":{}}], "usage":null}\n\n',
        b"data: [DONE]\n\n",
    ]

    async def play(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for byte in b"".join(chunks):  # a byte at a time: no event ends where a read does
            writer.write(bytes([byte]))
            await writer.drain()

    upstream.script.append(play)
    async with run_service() as service:
        answer = await chat(service, stream=True)
    assert answer.content == b"".join(chunks[1:])


async def test_the_first_token_is_there_before_the_answers_end(
    client: AsyncOpenAI, model: ScriptedLLM
) -> None:
    release = asyncio.Event()
    model.default(Held(release))
    async with asyncio.timeout(10):
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                release.set()  # the backend has the rest until the caller has a token
        assert release.is_set()


async def test_embeddings(client: AsyncOpenAI, service: httpx.AsyncClient) -> None:
    answer = await client.embeddings.create(model="small", input=["one", "two"], dimensions=8)
    assert [len(one.embedding) for one in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 2


async def test_models_are_the_backends(client: AsyncOpenAI) -> None:
    listed = await client.models.list()
    assert [one.id for one in listed.data] == ["small", "org/large"]
    assert (await client.models.retrieve("org/large")).id == "org/large"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("another")


async def test_models_are_the_known_ones_while_the_backend_lists_none(
    client: AsyncOpenAI, model: ScriptedLLM
) -> None:
    model.fail_pages(500)
    listed = await client.models.list()
    assert MODEL in [one.id for one in listed.data]


async def test_langchain(service: httpx.AsyncClient) -> None:
    llm = ChatOpenAI(
        model=MODEL,
        base_url=str(service.base_url.join("/v1")),
        api_key=SecretStr(service.headers["Authorization"].removeprefix("Bearer ")),
        max_retries=0,
        stream_usage=True,
    )
    answer = await llm.ainvoke("Where is it?")
    assert answer.content == WORDS
    assert answer.usage_metadata
    assert answer.usage_metadata["total_tokens"] == 17
    parts = [part async for part in llm.astream("Where is it?")]
    assert "".join(str(part.content) for part in parts) == WORDS
    assert sum(part.usage_metadata["total_tokens"] for part in parts if part.usage_metadata) == 17


class Failure(NamedTuple):
    """What the backend does, and what OpenAI's client makes of it."""

    step: Step
    raised: type[openai.APIStatusError]
    type: str
    code: str


FAILURES = [
    Failure(Status(400), openai.BadRequestError, "invalid_request_error", "bad_request"),
    Failure(Status(401), openai.InternalServerError, "server_error", "upstream_rejected"),
    Failure(Status(404), openai.NotFoundError, "invalid_request_error", "model_not_found"),
    Failure(Status(422), openai.UnprocessableEntityError, "invalid_request_error", "unprocessable_request"),
    Failure(RateLimited(60), openai.RateLimitError, "rate_limit_error", "rate_limited"),
    Failure(Status(500), openai.InternalServerError, "server_error", "upstream_error"),
    Failure(EmptyObject(), openai.InternalServerError, "server_error", "upstream_malformed"),
    Failure(NoChoices(), openai.InternalServerError, "server_error", "upstream_malformed"),
    Failure(MalformedJson(), openai.InternalServerError, "server_error", "upstream_malformed"),
    Failure(WrongContentType(), openai.InternalServerError, "server_error", "upstream_malformed"),
    Failure(Reset(), openai.InternalServerError, "server_error", "upstream_unavailable"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.step.name)
async def test_failures_of_the_backend_are_the_clients_exceptions(
    client: AsyncOpenAI, model: ScriptedLLM, failure: Failure, *, stream: bool
) -> None:
    model.default(failure.step)
    with pytest.raises(openai.APIStatusError) as raised:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    assert type(raised.value) is failure.raised
    assert isinstance(raised.value.body, dict)
    assert raised.value.body.keys() == {"message", "type", "code", "param"}
    assert (raised.value.type, raised.value.code) == (failure.type, failure.code)
    assert "litellm" not in raised.value.message


@pytest.mark.parametrize("stream", [False, True])
async def test_a_passing_failure_before_the_first_token_goes_unnoticed(
    client: AsyncOpenAI, model: ScriptedLLM, *, stream: bool
) -> None:
    model.default(Status(503), Reset(), Answer(content=WORDS))
    answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    if isinstance(answer, openai.AsyncStream):
        assert len([chunk async for chunk in answer]) > 2
    assert len(model.calls()) == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("step", [Hang(), Drip(0.05)])
async def test_the_deadline_is_for_the_first_token(
    run: RunService, model: ScriptedLLM, step: Step, *, stream: bool
) -> None:
    model.default(step)
    async with run(llm_deadline=0.5) as service:
        answer = await chat(service, stream=stream)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
        assert [reply.outcome for reply in await model.wait_for_replies(1)] == ["client-gone"]


async def test_a_stream_may_last_longer_than_the_deadline(run: RunService, model: ScriptedLLM) -> None:
    release = asyncio.Event()
    model.default(Held(release))
    async with run(llm_deadline=0.5) as service:
        asking = asyncio.create_task(chat(service, stream=True))
        await model.wait_for_calls(1)
        asyncio.get_running_loop().call_later(1, release.set)
        assert events(await asking)[-1] == "[DONE]"


BROKEN: list[tuple[Step, str]] = [
    (BrokenStream(), "upstream_malformed"),
    (Held(asyncio.Event(), broken=True), "upstream_unavailable"),
    (ErrorInStream(detail="at http://10.0.0.7"), "upstream_error"),
    (StalledStream(), "upstream_timeout"),
]


@pytest.mark.parametrize(("step", "code"), BROKEN)
async def test_a_stream_that_breaks_says_so(
    run: RunService, model: ScriptedLLM, step: Step, code: str
) -> None:
    if isinstance(step, Held):
        step.release.set()
    model.default(step)
    async with run(stream_idle_timeout=0.5) as service:
        *chunks, last = events(await chat(service, stream=True))
        assert text(chunks), "what had come was handed on"
        assert last.keys() == {"error"}
        assert last["error"]["code"] == code
        assert "10.0.0.7" not in last["error"]["message"]
        assert len(model.calls()) == 1, "no retry after the first token"
        async with sdk(service) as client:
            stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            with pytest.raises(openai.APIError):
                async for _ in stream:
                    pass


async def test_streams_that_break_open_the_breaker(service: httpx.AsyncClient, model: ScriptedLLM) -> None:
    model.default(BrokenStream())
    for _ in range(5):
        await chat(service, stream=True)
    refused = await chat(service, stream=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "circuit_open")
    assert int(refused.headers["retry-after"]) >= 1
    assert len(model.calls()) == 5


async def test_a_half_open_breaker_closes_with_the_first_token_of_a_stream(
    run: RunService, model: ScriptedLLM
) -> None:
    async with run(breaker_threshold=1, breaker_cooldown=0.1) as service:
        model.default(Truncated())
        assert (await chat(service)).status_code == 503
        await asyncio.sleep(0.15)
        release = asyncio.Event()
        model.default(Held(release))
        async with service.stream(
            "POST", "/v1/chat/completions", json={"model": MODEL, "messages": MESSAGES, "stream": True}
        ) as probe:
            lines = probe.aiter_lines()
            await anext(lines)
            model.default(Answer())
            assert (await chat(service)).status_code == 200
            release.set()
            assert [line async for line in lines][-2] == "data: [DONE]"


async def test_a_stream_that_is_left_ends_the_call(
    service: httpx.AsyncClient, model: ScriptedLLM, records: Records
) -> None:
    model.default(StalledStream())
    asking = {"model": MODEL, "messages": MESSAGES, "stream": True}
    async with service.stream("POST", "/v1/chat/completions", json=asking) as answer:
        await anext(answer.aiter_lines())
    (reply,) = await model.wait_for_replies(1)
    assert reply.outcome == "client-gone"
    report = (await service.get("/health/detailed")).json()
    assert report["checks"]["circuit_breaker"]["failures"] == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_whoever_leaves_before_the_answer_ends_the_call(
    service: httpx.AsyncClient, model: ScriptedLLM, *, stream: bool
) -> None:
    model.default(Hang())
    asking = asyncio.create_task(chat(service, stream=stream))
    await model.wait_for_calls(1)
    asking.cancel()
    (reply,) = await model.wait_for_replies(1)
    assert reply.outcome == "client-gone"


async def test_a_reader_that_takes_nothing_holds_the_backend_back_and_is_left(
    run_service: RunService, upstream: Upstream
) -> None:
    written = 0

    async def flood(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        chunk = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"x" * 10_000)
        while True:
            writer.write(chunk)
            await writer.drain()
            written += len(chunk)

    upstream.script.append(flood)
    async with run_service(stream_idle_timeout=0.5) as service:
        _reader, writer = await asyncio.open_connection(
            service.base_url.host, service.base_url.port, limit=1024
        )
        body = json.dumps({"model": MODEL, "messages": MESSAGES, "stream": True})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}authorization: {service.headers['authorization']}\r\n\r\n{body}".encode())
        async with asyncio.timeout(20):
            await upstream.hung_up.wait()
        assert written < 64_000_000, "what the sockets between hold, and no more"
        writer.close()


Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]

REFUSED: dict[str, tuple[int, str, str | None, Ask]] = {
    "no JSON": (400, "invalid_request", None, lambda c: c.post("/v1/chat/completions", content=b"{")),
    "deep": (400, "invalid_request", None, lambda c: c.post("/v1/embeddings", content=b"[" * 100_000)),
    "no object": (400, "invalid_request", None, lambda c: c.post("/v1/chat/completions", content=b"[]")),
    "half a pair": (
        400,
        "invalid_request",
        None,
        lambda c: c.post("/v1/chat/completions", content=b'{"model": "\\ud800"}'),
    ),
    "no model": (400, "invalid_request", "model", lambda c: chat(c, model=None)),
    "a long model": (400, "invalid_request", "model", lambda c: chat(c, model="x" * 257)),
    "no messages": (400, "invalid_request", "messages", lambda c: chat(c, messages=[])),
    "odd messages": (400, "invalid_request", "messages", lambda c: chat(c, messages=["x"])),
    "odd stream": (400, "invalid_request", "stream", lambda c: chat(c, stream="yes")),
    "odd options": (
        400,
        "invalid_request",
        "stream_options",
        lambda c: chat(c, stream=True, stream_options=1),
    ),
    "options alone": (
        400,
        "invalid_request",
        "stream_options",
        lambda c: chat(c, stream_options={"include_usage": True}),
    ),
    "no input": (400, "invalid_request", "input", lambda c: c.post("/v1/embeddings", json={"model": "m"})),
    "large": (413, "body_too_large", None, lambda c: c.post("/v1/embeddings", content=b" " * 2_000_000)),
    "nowhere": (404, "not_found", None, lambda c: c.get("/v1/nowhere")),
    "wrong method": (405, "method_not_allowed", None, lambda c: c.get("/v1/chat/completions")),
    "no token": (
        401,
        "not_authenticated",
        None,
        lambda c: c.post("/v1/chat/completions", headers={"Authorization": "Basic x"}),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refusals_have_openais_form(
    service: httpx.AsyncClient, model: ScriptedLLM, case: str, records: Records
) -> None:
    status, code, param, ask = REFUSED[case]
    answer = await ask(service)
    error = answer.json()["error"]
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert error.keys() == {"message", "type", "code", "param"}
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    assert (error["code"], error["param"], error["type"]) == (code, param, kind)
    assert answer.headers["x-request-id"]
    assert not model.calls()
    (failed,) = [record for record in records() if record.get("message") == "request failed"]
    assert failed["request_id"] == answer.headers["x-request-id"]


async def test_metrics_name_no_model_that_nobody_lists(service: httpx.AsyncClient) -> None:
    await (await service.get("/v1/models")).aread()
    for name in ("small", "made-up-1", "made-up-2"):
        await chat(service, model=name)
    metrics = (await service.get("/metrics")).text
    assert 'llm_tokens_total{kind="prompt",model="small"}' in metrics
    assert 'llm_tokens_total{kind="prompt",model="other"}' in metrics
    assert "made-up" not in metrics


async def test_requests_in_flight_are_those_that_have_not_ended(
    service: httpx.AsyncClient, model: ScriptedLLM
) -> None:
    model.default(Hang())
    before = await in_flight(service)
    asking = [asyncio.create_task(chat(service)) for _ in range(3)]
    await model.wait_for_calls(3)
    assert await in_flight(service) == before + 3

    for task in asking:
        task.cancel()
    await model.wait_for_replies(3)
    await asyncio.wait(asking)
    async with asyncio.timeout(10):
        while await in_flight(service) != before:
            await asyncio.sleep(0.01)


async def in_flight(service: httpx.AsyncClient) -> float:
    text = (await service.get("/metrics")).text
    return float(text.partition("\nhttp_requests_in_flight ")[2].partition("\n")[0])
