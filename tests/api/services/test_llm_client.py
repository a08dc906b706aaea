import asyncio
import json
from collections.abc import AsyncIterator

import pytest

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
from api.services.llm_client import Answer, LLMClient, Prompt
from api.services.models import Model
from tests.api.support import REFUSED
from tests.api.upstream import Behaviour, Upstream, completion, drip, hang, reset, respond

PROMPT = Prompt(model=Model.SECONDARY, prompt="Why?")


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[LLMClient]:
    client = LLMClient(base_url=upstream.url, api_key="", connect_timeout=1, read_timeout=20)
    yield client
    await client.close()


async def complete(client: LLMClient, prompt: Prompt = PROMPT, *, within: float = 20) -> Answer:
    return await client.complete(
        prompt, deadline=asyncio.get_running_loop().time() + within, request_id="r-1"
    )


async def test_asks_as_told_and_reads_the_answer(client: LLMClient, upstream: Upstream) -> None:
    prompt = Prompt(Model.THIRD, "Why?", system_prompt="Be brief.", temperature=0.5, max_tokens=9)
    answer = await complete(client, prompt)
    (call,) = upstream.calls
    assert call["path"] == "/v1/chat/completions"
    assert call["headers"]["x-request-id"] == "r-1"
    assert json.loads(call["body"]) == {
        "model": "gemini-third",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "temperature": 0.5,
        "max_tokens": 9,
    }
    assert (answer.response, answer.prompt_tokens, answer.completion_tokens, answer.total_tokens) == (
        "Hello",
        7,
        5,
        12,
    )


async def test_leaves_out_what_was_not_asked_for(client: LLMClient, upstream: Upstream) -> None:
    await complete(client)
    assert json.loads(upstream.calls[0]["body"]).keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("reported", "cost"), [("0.125", 0.125), (None, 0.0000675), ("nonsense", 0.0000675), ("nan", 0.0000675)]
)
async def test_cost(client: LLMClient, upstream: Upstream, reported: str | None, cost: float) -> None:
    headers = {"x-litellm-response-cost": reported} if reported else {}
    upstream.script.append(completion(headers=headers))
    assert (await complete(client)).cost == pytest.approx(cost)


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
        (respond(200, b"\xff\xfe"), LLMMalformedError),
        (respond(200, CHOICE, content_type="text/html"), LLMMalformedError),
        (respond(200, CHOICE, announce=4000), LLMUnavailableError),
        (respond(200, CHOICE, headers={"content-encoding": "gzip"}), LLMMalformedError),
        (reset, LLMUnavailableError),
    ],
)
async def test_tells_failures_apart(
    client: LLMClient, upstream: Upstream, behaviour: Behaviour, kind: type[LLMError]
) -> None:
    upstream.script.append(behaviour)
    with pytest.raises(LLMError) as raised:
        await complete(client)
    assert type(raised.value) is kind
    assert len(upstream.calls) == 1, "the SDK must not retry"
    assert upstream.url.removeprefix("http://") not in str(raised.value)


async def test_accepts_an_answer_without_usage(client: LLMClient, upstream: Upstream) -> None:
    upstream.script.append(respond(body=CHOICE))
    answer = await complete(client)
    assert (answer.response, answer.total_tokens, answer.cost) == ("Hi", 0, 0)


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
