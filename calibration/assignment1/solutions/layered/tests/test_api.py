import httpx
import pytest

from src.main import app
from src.services.budget import DailyBudget
from src.services.ratelimit import TokenBucketLimiter

URL = "/api/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hello"}]}


def test_completion_end_to_end(client, openai):
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Bye"},
    ]
    body = {"messages": conversation, "model": "gpt-4o", "temperature": 0.2, "max_tokens": 50}
    response = client.post(URL, json=body)
    assert response.status_code == 200
    answer = response.json()
    assert answer["content"] == "Hi there."
    assert answer["model"] == "gpt-4o"
    assert answer["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 30,
        "total_tokens": 42,
        "estimated_cost": pytest.approx(12 * 2.5e-6 + 30 * 10e-6),
    }
    assert answer["latency_ms"] >= 0
    assert openai.asked == [body]


def test_defaults_reach_the_provider(client, openai):
    assert client.post(URL, json=BODY).status_code == 200
    asked = openai.asked[0]
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("gpt-4o-mini", 0.7, 1024)


def test_validation_error(client, openai):
    body = BODY | {"temperature": 3, "messages": [{"role": "robot", "content": "Hello"}]}
    response = client.post(URL, json=body)
    assert response.status_code == 422
    error = response.json()["error"]
    assert {d["field"] for d in error["details"]} == {"temperature", "messages.0.role"}
    assert error["request_id"] == response.headers["x-request-id"]
    assert openai.asked == []


def test_max_tokens_per_request(client, openai):
    assert client.post(URL, json=BODY | {"max_tokens": 2000}).status_code == 200
    response = client.post(URL, json=BODY | {"max_tokens": 2001})
    assert response.status_code == 422
    assert response.json()["error"]["details"][0]["field"] == "max_tokens"
    assert len(openai.asked) == 1


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (httpx.Response(429), 429),
        (httpx.Response(500), 502),
        (httpx.ConnectError("refused"), 503),
        (httpx.ReadTimeout("slow"), 504),
        (httpx.Response(400), 400),
        (httpx.Response(401, json={"error": {"message": "bad key test-key"}}), 502),
    ],
)
def test_provider_errors(client, openai, step, status):
    openai.script = [step] * 4
    response = client.post(URL, json=BODY)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert "test-key" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status"),
    [
        ("POST", URL, {"content": "{", "headers": {"content-type": "application/json"}}, 422),
        ("POST", URL, {"content": "a", "headers": {"content-type": "text/plain"}}, 422),
        ("GET", URL, {}, 405),
        ("GET", "/nowhere", {}, 404),
        ("POST", URL, {"content": b"x" * (16 * 1024 * 1024 + 1)}, 413),
    ],
)
def test_http_errors_are_json(client, method, path, kwargs, status):
    response = client.request(method, path, **kwargs)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("given", ["monday-1", "A.b_c-9", "x" * 128])
def test_a_sane_request_id_is_kept(client, given):
    response = client.post(URL, json=BODY, headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<script>", "a/b"])
def test_another_one_is_replaced(client, given):
    ids = {
        client.post(URL, json=BODY, headers={"X-Request-ID": given}).headers["x-request-id"]
        for _ in range(2)
    }
    assert len(ids) == 2
    assert given not in ids


def test_request_limit(client, openai):
    app.state.limiter = TokenBucketLimiter(2, 60)
    responses = [client.post(URL, json=BODY) for _ in range(3)]
    assert [r.status_code for r in responses] == [200, 200, 429]
    assert 1 <= int(responses[2].headers["retry-after"]) <= 60
    assert len(openai.asked) == 2
    assert client.get("/health").status_code == 200


def test_the_limit_cannot_be_dodged_by_a_header(client):
    app.state.limiter = TokenBucketLimiter(1, 60)
    statuses = [
        client.post(URL, json=BODY, headers={"X-Forwarded-For": ip}).status_code
        for ip in ("10.0.0.1", "10.0.0.2")
    ]
    assert statuses == [200, 429]


def test_daily_cost_limit(client, openai):
    app.state.budget = app.state.llm.budget = DailyBudget(0.00003)
    assert [client.post(URL, json=BODY).status_code for _ in range(3)] == [200, 200, 402]
    assert len(openai.asked) == 2


@pytest.mark.parametrize(("upstream", "status"), [(200, 200), (401, 200), (500, 503)])
def test_health(client, openai, upstream, status):
    openai.models_status = upstream
    response = client.get("/health")
    assert response.status_code == status
    assert response.json()["providers"]["openai"]["status"] == ("up" if status == 200 else "down")


def test_streaming(client):
    response = client.post(URL, json=BODY | {"stream": True})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.split("\n\n") == [
        'data: {"content": "Hi "}',
        'data: {"content": "there."}',
        "data: [DONE]",
        "",
    ]


def test_a_stream_that_breaks_says_so(client, openai):
    cut = 'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}\n\n'
    openai.script = [httpx.Response(200, text=cut)]
    text = client.post(URL, json=BODY | {"stream": True}).text
    assert '"error"' in text
    assert "[DONE]" not in text
