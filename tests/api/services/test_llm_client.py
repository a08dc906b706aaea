import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from api.services.chat import Completion, Usage, read_text_completion
from api.services.errors import (
    LLMBadRequestError,
    LLMError,
    LLMMalformedError,
    LLMNotFoundError,
    LLMQuotaExhaustedError,
    LLMRateLimitedError,
    LLMRejectedError,
    LLMServerError,
    LLMTimeoutError,
    LLMUnavailableError,
    LLMUnprocessableError,
)
from api.services.llm_client import LLMClient, Reply
from tests.api.support import REFUSED
from tests.api.upstream import Behaviour, Upstream, completion, drip, hang, hang_up, reset, respond

FIELDS = {"model": "gpt-4o-secondary", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[LLMClient]:
    client = LLMClient(base_url=upstream.url, api_key="", connect_timeout=1, read_timeout=20)
    yield client
    await client.close()


async def post(client: LLMClient, fields: dict[str, Any] = FIELDS, *, within: float = 20) -> Reply:
    deadline = asyncio.get_running_loop().time() + within
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        return await client.post("/chat/completions", fields, deadline=deadline)


async def complete(client: LLMClient, *, within: float = 20) -> Completion:
    return read_text_completion((await post(client, within=within)).body)


async def test_hands_on_what_was_asked_and_what_was_answered(client: LLMClient, upstream: Upstream) -> None:
    body = b'{"choices" : [ {"message": {"content": "Hi"}} ], "something": "\\u00e9"}'
    upstream.script.append(respond(body=body))
    fields = {**FIELDS, "temperature": 0.5, "new_parameter": {"deep": [None, 1]}}
    assert (await post(client, fields)).body == body
    (call,) = upstream.calls
    assert call["path"] == "/v1/chat/completions"
    assert call["headers"]["x-request-id"] == "r-1"
    assert json.loads(call["body"]) == fields


async def test_reads_the_answer(client: LLMClient) -> None:
    assert await complete(client) == Completion(Usage(7, 5), "Hello")


@pytest.mark.parametrize(
    ("reported", "cost"), [("0.125", 0.125), (None, None), ("nonsense", None), ("nan", None), ("-1", None)]
)
async def test_cost(client: LLMClient, upstream: Upstream, reported: str | None, cost: float | None) -> None:
    headers = {"x-litellm-response-cost": reported} if reported else {}
    upstream.script.append(completion(headers=headers))
    assert (await post(client)).cost == cost


QUOTA = b'{"error": {"message": "used up", "code": "insufficient_quota"}}'
CHOICE = b'{"choices": [{"message": {"content": "Hi"}}]}'


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (respond(400), LLMBadRequestError),
        (respond(401), LLMRejectedError),
        (respond(402), LLMRejectedError),
        (respond(403), LLMRejectedError),
        (respond(404), LLMNotFoundError),
        (respond(408), LLMTimeoutError),
        (respond(409), LLMServerError),
        (respond(422), LLMUnprocessableError),
        (respond(429), LLMRateLimitedError),
        (respond(429, QUOTA), LLMQuotaExhaustedError),
        (respond(500, b"<h1>oops</h1>", content_type="text/html"), LLMServerError),
        (respond(503), LLMServerError),
        (respond(200, b"{}"), LLMMalformedError),
        (respond(200, b""), LLMMalformedError),
        (respond(200, b"[]"), LLMMalformedError),
        (respond(200, b'{"choices": null}'), LLMMalformedError),
        (respond(200, b'{"choices": []}'), LLMMalformedError),
        (respond(200, b'{"choices": [{"message": null}]}'), LLMMalformedError),
        (respond(200, b'{"choices": [{"message": {"content": null}}]}'), LLMMalformedError),
        (respond(200, b'{"choices": [{"mess'), LLMMalformedError),
        (respond(200, CHOICE[:-1] + b', "error": {"message": "at 10.0.0.7"}}'), LLMMalformedError),
        (respond(200, b"\xff\xfe"), LLMMalformedError),
        (respond(200, CHOICE, content_type="text/html"), LLMMalformedError),
        (respond(200, CHOICE, announce=4000), LLMUnavailableError),
        (respond(200, CHOICE, headers={"content-encoding": "gzip"}), LLMMalformedError),
        (reset, LLMUnavailableError),
        (hang_up, LLMUnavailableError),
    ],
)
async def test_tells_failures_apart(
    client: LLMClient, upstream: Upstream, behaviour: Behaviour, kind: type[LLMError]
) -> None:
    upstream.script.append(behaviour)
    with pytest.raises(LLMError) as raised:
        await complete(client)
    assert type(raised.value) is kind
    assert len(upstream.calls) == 1, "retrying is not the client's business"
    assert upstream.url.removeprefix("http://") not in str(raised.value)


async def test_accepts_an_answer_without_usage(client: LLMClient, upstream: Upstream) -> None:
    upstream.script.append(respond(body=CHOICE))
    assert await complete(client) == Completion(Usage(0, 0), "Hi")


@pytest.mark.parametrize("name", ["Retry-After", "llm_provider-retry-after"])
async def test_hands_on_how_long_to_wait(client: LLMClient, upstream: Upstream, name: str) -> None:
    upstream.script.append(respond(429, headers={name: "17"}))
    with pytest.raises(LLMRateLimitedError) as raised:
        await complete(client)
    assert raised.value.retry_after == 17


async def test_refused() -> None:
    client = LLMClient(base_url=REFUSED, api_key="", connect_timeout=1, read_timeout=20)
    with pytest.raises(LLMUnavailableError):
        await complete(client)
    await client.close()


@pytest.mark.parametrize("behaviour", [hang, drip, completion(delay=60)])
async def test_cut_at_the_deadline(client: LLMClient, upstream: Upstream, behaviour: Behaviour) -> None:
    upstream.script.append(behaviour)
    began = asyncio.get_running_loop().time()
    with pytest.raises(LLMTimeoutError):
        await complete(client, within=0.3)
    assert 0.3 <= asyncio.get_running_loop().time() - began < 3
    async with asyncio.timeout(5):
        await upstream.hung_up.wait()


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (
            b'{"error": {"code": "context_length_exceeded", "param": "messages"}}',
            "context_length_exceeded",
            "messages",
        ),
        (b'{"error": {"code": "400", "param": null}}', "bad_request", None),
        (b'{"error": {"code": "at http://10.0.0.7:4000", "param": ["x"]}}', "bad_request", None),
        (
            b'{"error": {"code": "unsupported_value", "param": "messages.[0].content"}}',
            "unsupported_value",
            "messages.[0].content",
        ),
        (b'{"error": {"code": "sk-proj-4f9a", "param": "litellm.internal"}}', "bad_request", None),
        (b'{"error": {"code": "10.0.0.7", "param": "messages.10.0.0.70000"}}', "bad_request", None),
        (b'{"error": "no"}', "bad_request", None),
        (b"<h1>", "bad_request", None),
    ],
)
async def test_hands_on_what_the_backend_calls_a_bad_request(
    client: LLMClient, upstream: Upstream, body: bytes, code: str, param: str | None
) -> None:
    upstream.script.append(respond(400, body))
    with pytest.raises(LLMBadRequestError) as raised:
        await post(client)
    assert (raised.value.code, raised.value.param) == (code, param)
