import json
import time

import httpx
import pytest

from src.main import app
from tests.conftest import OPENAI

URL = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def test_completion(client, openai):
    body = {**HELLO, "model": "gpt-4o-mini", "temperature": 1.5, "max_tokens": 512}
    response = client.post(URL, json=body)
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("latency_ms") > 0
    assert answer.pop("cost_usd") == pytest.approx(20 * 0.15e-6 + 10 * 0.6e-6)
    assert answer == {
        "content": "A fine day.",
        "model": "gpt-4o-mini",
        "usage": {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30},
    }
    assert json.loads(openai.calls.last.request.content) == body


def test_defaults(client, openai):
    client.post(URL, json=HELLO)
    sent = json.loads(openai.calls.last.request.content)
    assert sent == {**HELLO, "model": "gpt-4o-mini", "temperature": 0.7, "max_tokens": 512}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"temperature": 2.5}, "temperature"),
        ({"max_tokens": 513}, "max_tokens"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ],
)
def test_invalid(client, openai, changes, field):
    response = client.post(URL, json={**HELLO, **changes})
    assert response.status_code == 422
    assert response.json()["field"] == field
    assert not openai.called


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ("{", JSON, 400),
        (b"\xff", JSON, 400),
        (b'{"model": "\xff"}', JSON, 400),
        ("x", {"content-type": "text/plain"}, 415),
        ("x", {}, 415),
        (b"x" * (16 * 2**20 + 1), JSON, 413),
    ],
    ids=["cut", "no text", "no UTF-8", "text", "no type", "large"],
)
def test_body_errors(client, content, headers, status):
    response = client.post(URL, content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["message"]


def test_route_errors(client):
    for method, path, status in [("GET", "/nope", 404), ("GET", URL, 405), ("PUT", "/health", 405)]:
        response = client.request(method, path)
        assert response.status_code == status
        assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (httpx.Response(429), 429),
        (httpx.Response(500), 502),
        (httpx.ConnectError("refused"), 503),
        (httpx.ReadTimeout("slow"), 504),
        (httpx.Response(400), 400),
        (httpx.Response(401, json={"error": "key-of-the-tests is wrong"}), 500),
    ],
)
def test_provider_errors(client, openai, capsys, failure, status):
    openai.side_effect = [failure] * 4
    response = client.post(URL, json=HELLO)
    assert response.status_code == status
    assert "key-of-the-tests" not in response.text + "".join(capsys.readouterr())


def test_unexpected_error(client, openai):
    openai.side_effect = RuntimeError("surprise")
    response = client.post(URL, json=HELLO)
    assert response.status_code == 500
    assert "surprise" not in response.text
    assert response.headers["x-request-id"]


def test_request_id(client):
    def sent_back(given):
        return client.post(URL, json=HELLO, headers={"x-request-id": given}).headers["x-request-id"]

    assert sent_back("monday-1") == "monday-1"
    assert sent_back("a b") != sent_back("a b")
    assert sent_back("x" * 129) != "x" * 129


def test_request_limit(client, openai):
    statuses = [client.post(URL, json=HELLO).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    response = client.post(URL, json=HELLO, headers={"X-Forwarded-For": "10.1.1.1"})
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert openai.call_count == 5
    assert client.get("/health").status_code == 200


def test_daily_cost(client, openai):
    app.state.purse.pay(1.0)
    assert client.post(URL, json=HELLO).status_code == 402
    assert not openai.called


def test_health_follows_the_provider(client, upstream):
    assert client.get("/health").json()["provider"] == "reachable"
    upstream.get(f"{OPENAI}/models").respond(500)
    time.sleep(0.1)
    response = client.get("/health")
    assert response.status_code == 503
    assert response.json()["provider"] == "unreachable"


STREAM = "".join(
    f'data: {{"model": "gpt-4o-mini", "choices": [{{"delta": {{"content": "{text}"}}}}]}}\n\n'
    for text in ("A ", "fine ", "day.")
)


def test_stream(client, openai):
    openai.respond(text=STREAM + "data: [DONE]\n\n")
    response = client.post(URL, json={**HELLO, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    *documents, done = [line[6:] for line in response.text.splitlines() if line]
    assert "".join(json.loads(d)["content"] for d in documents) == "A fine day."
    assert done == "[DONE]"


def test_broken_stream(client, openai):
    openai.respond(text=STREAM)
    lines = client.post(URL, json={**HELLO, "stream": True}).text.split("\n\n")
    assert "error" in json.loads(lines[-2][6:])
