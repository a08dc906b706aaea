import asyncio
import json
import logging
from importlib import import_module
from typing import Any

import httpx
import pytest

from src.config.logging_config import JsonFormatter
from src.config.settings import get_settings
from src.services.errors import (
    AccessRefusedError,
    ProviderError,
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    RateLimitedError,
    RequestRefusedError,
)
from tests.conftest import MakeClient
from tests.fakes import FakeProvider

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


async def test_a_completion_comes_back_whole(client: httpx.AsyncClient, provider: FakeProvider) -> None:
    provider.steps = ["The capital of France is Paris."]

    response = await client.post(CHAT, json={**HELLO, "model": "gpt-4o"})

    assert response.status_code == 200
    body = response.json()
    assert body["content"] == "The capital of France is Paris."
    assert body["model"] == "gpt-4o"
    assert body["usage"] == {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200}
    assert body["cost_usd"] == pytest.approx(0.0045)
    assert body["latency_ms"] >= 0


async def test_the_conversation_reaches_the_provider_as_it_is(
    client: httpx.AsyncClient, provider: FakeProvider
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "  Grüße \N{GRINNING FACE}\n"},
    ]

    await client.post(CHAT, json={"messages": messages, "model": "any", "temperature": 0, "max_tokens": 7})

    [prompt] = provider.prompts
    assert [message.model_dump() for message in prompt.messages] == messages
    assert (prompt.model, prompt.temperature, prompt.max_tokens) == ("any", 0, 7)


async def test_what_a_request_leaves_out_has_defaults(
    make_client: MakeClient, provider: FakeProvider
) -> None:
    await make_client(default_model="gpt-4o").post(CHAT, json=HELLO)
    await make_client(max_tokens_per_request=50).post(CHAT, json=HELLO)

    first, second = provider.prompts
    assert (first.model, first.temperature, first.max_tokens) == ("gpt-4o", 0.7, 1024)
    assert (second.model, second.max_tokens) == ("gpt-4o-mini", 50)


async def test_the_cost_is_null_if_the_price_is_not_known(client: httpx.AsyncClient) -> None:
    response = await client.post(CHAT, json={**HELLO, "model": "a-new-model"})

    assert response.status_code == 200
    assert response.json()["cost_usd"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({**HELLO, "temperature": 2.1}, "temperature"),
        ({**HELLO, "max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "messages"),
    ],
)
async def test_an_invalid_request_is_refused_by_its_field(
    client: httpx.AsyncClient, provider: FakeProvider, body: dict[str, Any], field: str
) -> None:
    response = await client.post(CHAT, json=body)

    assert response.status_code == 422
    assert field in [one["field"] for one in response.json()["error"]["fields"]]
    assert provider.prompts == []


async def test_a_refusal_does_not_repeat_the_value(client: httpx.AsyncClient) -> None:
    response = await client.post(CHAT, json={**HELLO, "temperature": "secret-value"})

    assert response.status_code == 422
    assert "secret-value" not in response.text


@pytest.mark.parametrize("content", [b"{", b"", b"[1, 2]", b'"text"', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_request_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post(CHAT, content=content, headers={"content-type": "application/json"})

    assert response.status_code in {400, 422}
    assert response.json()["error"]["message"]


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(CHAT, content=json.dumps(HELLO), headers={"content-type": "text/plain"})

    assert response.status_code == 422


async def test_more_tokens_than_the_service_allows_are_refused(
    make_client: MakeClient, provider: FakeProvider
) -> None:
    client = make_client(max_tokens_per_request=100)

    refused = await client.post(CHAT, json={**HELLO, "max_tokens": 101})
    served = await client.post(CHAT, json={**HELLO, "max_tokens": 100})

    assert refused.status_code == 422
    assert "max_tokens" in refused.json()["error"]["message"]
    assert served.status_code == 200
    assert len(provider.prompts) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestRefusedError(), 400),
        (AccessRefusedError(), 502),
        (ProviderTimeoutError(), 504),
        (RateLimitedError(retry_after=60), 429),
        (ProviderFailedError(retry_after=60), 502),
        (ProviderUnreachableError(retry_after=60), 503),
    ],
)
async def test_failures_of_the_provider_have_their_own_statuses(
    client: httpx.AsyncClient, provider: FakeProvider, error: ProviderError, status: int
) -> None:
    provider.steps = [error]

    response = await client.post(CHAT, json=HELLO)

    assert response.status_code == status
    assert response.json()["error"]["type"]
    assert response.headers["X-Request-ID"] == response.json()["error"]["request_id"]


async def test_an_unexpected_exception_is_a_500_that_says_nothing(
    client: httpx.AsyncClient, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_prompt: object) -> None:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr(provider, "complete", fail)

    response = await client.post(CHAT, json=HELLO)

    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", CHAT, 405)])
async def test_other_errors_have_the_same_form(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    assert response.json()["error"]["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_16_mib_is_refused(client: httpx.AsyncClient, *, chunked: bool) -> None:
    async def pieces() -> Any:
        for _ in range(17):
            yield b" " * 1024 * 1024

    content = pieces() if chunked else b" " * 17 * 1024 * 1024
    response = await client.post(CHAT, content=content, headers={"content-type": "application/json"})

    assert response.status_code == 413
    assert response.json()["error"]["type"] == "body_too_large"
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize("given", ["monday-1", "a", "A_b.c-9", "x" * 128])
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    response = await client.post(CHAT, json=HELLO, headers={"X-Request-ID": given})

    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "<b>", 'quo"te'])
async def test_another_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    responses = [await client.get("/health", headers={"X-Request-ID": given}) for _ in range(3)]

    made = {response.headers["X-Request-ID"] for response in responses}
    assert len(made) == 3
    assert given not in made


async def test_requests_beyond_the_limit_are_refused(make_client: MakeClient, provider: FakeProvider) -> None:
    client = make_client(rate_limit_requests=3, rate_limit_window=60)

    responses = await asyncio.gather(*(client.post(CHAT, json=HELLO) for _ in range(5)))

    assert sorted(response.status_code for response in responses) == [200, 200, 200, 429, 429]
    [refused, _] = [response for response in responses if response.status_code == 429]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len(provider.prompts) == 3
    assert (await client.get("/health")).status_code == 200


async def test_the_limit_is_for_the_address_of_the_connection(make_client: MakeClient) -> None:
    client = make_client(rate_limit_requests=1)
    app = client._transport.app  # type: ignore[attr-defined]
    other_client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("10.0.0.2", 1)), base_url="http://x"
    )

    first = await client.post(CHAT, json=HELLO)
    disguised = await client.post(CHAT, json=HELLO, headers={"X-Forwarded-For": "10.0.0.9"})
    other = await other_client.post(CHAT, json=HELLO)

    assert [one.status_code for one in (first, disguised, other)] == [200, 429, 200]


async def test_nothing_is_asked_once_the_money_is_spent(
    make_client: MakeClient, provider: FakeProvider
) -> None:
    client = make_client(daily_cost_limit=0.004)

    statuses = [(await client.post(CHAT, json={**HELLO, "model": "gpt-4o"})).status_code for _ in range(3)]

    assert statuses == [200, 402, 402]
    assert len(provider.prompts) == 1


async def test_health_tells_the_state_of_the_provider(
    make_client: MakeClient, provider: FakeProvider
) -> None:
    up = await make_client(app_name="mine").get("/health")
    provider.healthy = False
    down = await make_client().get("/health")

    assert (up.status_code, down.status_code) == (200, 503)
    assert up.json() == {"status": "ok", "app": "mine", "providers": {"openai": "up"}}
    assert down.json()["providers"] == {"openai": "down"}


async def test_health_is_degraded_without_the_second_provider(make_client: MakeClient) -> None:
    second = FakeProvider(name="anthropic")
    second.healthy = False

    response = await make_client(anthropic=second).get("/health")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["providers"] == {"openai": "up", "anthropic": "down"}


def events(response: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]


async def test_a_stream_ends_with_done(client: httpx.AsyncClient, provider: FakeProvider) -> None:
    provider.steps = ["One two three"]

    response = await client.post(CHAT, json={**HELLO, "stream": True})

    assert response.headers["content-type"].startswith("text/event-stream")
    *pieces, summary, done = events(response)
    assert [json.loads(piece)["content"] for piece in pieces] == ["One", "two", "three"]
    assert json.loads(summary)["usage"] == {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200}
    assert done == "[DONE]"


async def test_a_stream_that_breaks_off_ends_with_an_error(
    client: httpx.AsyncClient, provider: FakeProvider
) -> None:
    provider.steps = ["One two ..."]

    response = await client.post(CHAT, json={**HELLO, "stream": True})

    *pieces, last = events(response)
    assert len(pieces) == 3
    assert json.loads(last)["error"]["type"] == "provider_failed"
    assert "[DONE]" not in response.text


async def test_a_stream_that_cannot_begin_has_a_status(
    client: httpx.AsyncClient, provider: FakeProvider
) -> None:
    provider.steps = [RequestRefusedError()]

    response = await client.post(CHAT, json={**HELLO, "stream": True})

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"


async def test_each_request_leaves_a_line_with_its_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonFormatter().format(record)))

    logging.getLogger().addHandler(Collect())
    await client.post(CHAT, json=HELLO, headers={"X-Request-ID": "monday-1"})
    await client.get("/nothing", headers={"X-Request-ID": "monday-2"})

    requests = [line for line in lines if line["message"] == "request"]
    assert [(line["request_id"], line["status"]) for line in requests] == [
        ("monday-1", 200),
        ("monday-2", 404),
    ]


def test_secrets_are_blotted_out_of_log_lines() -> None:
    record = logging.makeLogRecord({"msg": "wrong key %s", "args": ("sk-12345678",)})

    line = JsonFormatter(["sk-12345678"]).format(record)

    assert json.loads(line)["message"] == "wrong key [redacted]"


def test_the_entry_point_has_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_NAME", "By its environment")
    get_settings.cache_clear()

    main = import_module("src.main")

    get_settings.cache_clear()
    assert main.app.title == "By its environment"
