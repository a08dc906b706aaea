"""What the backend says of its failures stays in the service: it quotes keys, addresses and credentials."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from api.utils import retry
from tests.api.support import Records, RunService
from tests.api.upstream import Behaviour, Upstream, respond

pytestmark = pytest.mark.medium

MESSAGE = (
    "Incorrect API key provided: sk-proj-4f9aQmZ27. Traceback (most recent call last): "
    'File "/app/litellm/proxy.py", line 7, in call: POST http://10.0.0.7:4000/v1 as redis://admin:hunter2@cache'
)
SECRETS = ("sk-proj", "Traceback", "/app/", "10.0.0.7", ":4000", "hunter2", "redis", "litellm")
ERROR = {
    "message": MESSAGE,
    "type": "http://10.0.0.7:4000",
    "code": "sk-proj-4f9aQmZ27",
    "param": "10.0.0.7",
    "provider_specific_fields": {"key": "sk-proj-4f9aQmZ27"},
}
BODY = json.dumps({"error": ERROR, "detail": MESSAGE}).encode()
HEADERS = {"www-authenticate": "Bearer sk-proj-4f9aQmZ27", "x-litellm-api-base": "http://10.0.0.7:4000"}
BEGUN = {"choices": [{"index": 0, "delta": {"content": "It"}}]}

Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def chat(**more: Any) -> Ask:
    fields = {"model": "gpt-4o-secondary", "messages": [{"role": "user", "content": "Why?"}], **more}
    return lambda client: client.post("/v1/chat/completions", json=fields)


ASKED: dict[str, Ask] = {
    "chat": chat(),
    "stream": chat(stream=True),
    "embeddings": lambda client: client.post("/v1/embeddings", json={"model": "small", "input": "Why?"}),
    "generate": lambda client: client.post(
        "/llm/generate", json={"model": "gpt-4o-secondary", "prompt": "Why?"}
    ),
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "equal_jitter", lambda cap, _uniform: cap / 100)


def stream_of(*events: dict[str, Any]) -> Behaviour:
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return respond(body=body, content_type="text/event-stream", headers=HEADERS)


def told(answer: httpx.Response) -> list[str]:
    """The secrets that an answer tells, in its body or its headers."""
    text = answer.text + str(answer.headers)
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("asked", ASKED)
async def test_no_answer_quotes_an_error_of_the_backend(
    run_service: RunService, upstream: Upstream, records: Records, asked: str
) -> None:
    async with run_service(breaker_threshold=1000) as service:
        for status in (200, 301, 400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 503):
            upstream.otherwise = respond(
                status, BODY, headers={**HEADERS, "location": "http://10.0.0.7:4000/"}
            )
            answer = await ASKED[asked](service)
            assert answer.status_code >= 400
            assert not told(answer), status

    assert len(upstream.calls) >= 13
    assert not any(secret in json.dumps(records()) for secret in ("sk-proj", "hunter2"))


@pytest.mark.parametrize(
    "events",
    [[{"error": ERROR}], [BEGUN, {"error": ERROR}], [BEGUN, {"detail": MESSAGE}], [{"detail": MESSAGE}]],
)
async def test_no_stream_quotes_an_error_of_the_backend(
    run_service: RunService, upstream: Upstream, events: list[dict[str, Any]]
) -> None:
    upstream.otherwise = stream_of(*events)
    async with run_service() as service:
        answer = await ASKED["stream"](service)

    assert '"error"' in answer.text
    assert not told(answer)


async def test_a_model_list_that_fails_is_not_quoted(run_service: RunService) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await respond(401, BODY, headers=HEADERS)(writer, {})
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with run_service(litellm_url=f"http://127.0.0.1:{port}") as service:
            for path in (
                "/v1/models",
                "/v1/models/gpt-4o-secondary",
                "/v1/models/unknown",
                "/health/detailed",
            ):
                answer = await service.get(path)
                assert not [secret for secret in told(answer) if secret != "litellm"]
