import json
import re
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import jwt
import pytest

from api.services.llm_service import LLMService
from tests.api.support import PASSWORD, SECRET, Records, ask
from tests.api.upstream import Upstream, respond

pytestmark = pytest.mark.medium


def assert_error(answer: httpx.Response, status: int, slug: str, records: Records) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error", "message", "incident_id", "timestamp"}
    assert body["error"] == slug
    assert datetime.fromisoformat(body["timestamp"]).utcoffset() == timedelta(0)
    assert UUID(body["incident_id"])
    (record,) = [record for record in records() if record.get("incident_id") == body["incident_id"]]
    assert record["request_id"] == answer.headers["x-request-id"]
    assert record["level"] == ("error" if status >= 500 else "warning")


async def test_errors_have_one_form(service: httpx.AsyncClient, records: Records) -> None:
    assert_error(await service.get("/nowhere"), 404, "not_found", records)
    assert_error(await service.get("/auth/login"), 405, "method_not_allowed", records)
    assert_error(await service.post("/auth/login"), 422, "invalid_request", records)


async def test_a_wrong_password_is_401(service: httpx.AsyncClient, records: Records) -> None:
    for username, password in [("admin", "wrong"), ("nobody", PASSWORD), ("admin", ""), ("user", PASSWORD)]:
        answer = await service.post("/auth/login", json={"username": username, "password": password or "é"})
        assert_error(answer, 401, "bad_credentials", records)


async def test_a_password_that_utf_8_cannot_encode_is_401(
    service: httpx.AsyncClient, records: Records
) -> None:
    body = b'{"username": "admin", "password": "half a surrogate pair: \\ud800"}'
    answer = await service.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert_error(answer, 401, "bad_credentials", records)


async def test_me(service: httpx.AsyncClient) -> None:
    assert (await service.get("/auth/me")).json() == {"username": "admin"}


def forged(key: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    payload = {"sub": "admin", "iat": 1, "exp": 99999999999, **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, algorithm)


FORGED = [
    "garbage",
    "a.b.c",
    "\xe9.\xe9.\xe9",
    forged(key="another-secret-of-more-than-32-characters"),
    forged(key="", algorithm="none"),
    forged(key=SECRET * 2, algorithm="HS512"),
    forged(exp=1),
    forged(exp=None),
    forged(sub=None),
    forged(sub="nobody"),
    forged(sub=7),
    forged(exp="soon"),
    forged() + "x",
]


async def test_a_forged_token_is_401(service: httpx.AsyncClient, records: Records) -> None:
    for token in FORGED:
        answer = await service.get("/auth/me", headers={b"Authorization": f"Bearer {token}".encode()})
        assert_error(answer, 401, "not_authenticated", records)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_missing_token_is_401(service: httpx.AsyncClient, records: Records) -> None:
    del service.headers["Authorization"]
    assert_error(await ask(service), 401, "not_authenticated", records)
    basic = await service.get("/auth/me", auth=("admin", PASSWORD))
    assert_error(basic, 401, "not_authenticated", records)


async def test_invalid_requests_are_not_echoed(service: httpx.AsyncClient, records: Records) -> None:
    for body in (
        b'{"password": "canary"}',
        b'{"username": "canary", "password": ["canary"]}',
        b'{"canary": ',
        b"\xffcanary",
        b'{"username": "\\ud800canary", "password": "canary"}',
        b"[" * 100_000,
    ):
        answer = await service.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert "canary" not in answer.text
    assert "canary" not in str(records())


async def test_invalid_questions_are_422(
    service: httpx.AsyncClient, records: Records, upstream: Upstream
) -> None:
    for fields in (
        {"model": "gpt-4"},
        {"prompt": ""},
        {"temperature": 3},
        {"max_tokens": 0},
        {"prompt": None},
        {"prompt": "half a surrogate pair: \ud83d"},
        {"system_prompt": "\ud83d"},
    ):
        question = json.dumps({"model": "gemini-third", "prompt": "Why?", **fields})
        answer = await service.post(
            "/llm/generate", content=question, headers={"Content-Type": "application/json"}
        )
        assert_error(answer, 422, "invalid_request", records)
    assert upstream.calls == []


async def test_upstream_failures_have_the_same_form(
    service: httpx.AsyncClient, records: Records, upstream: Upstream
) -> None:
    upstream.otherwise = respond(401)
    assert_error(await ask(service), 502, "upstream_rejected", records)


async def test_a_bug_is_a_500_of_the_same_form(
    service: httpx.AsyncClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("canary at /srv/app.py")

    monkeypatch.setattr(LLMService, "generate", fail)
    origin = "https://app.example.org"
    answer = await service.post(
        "/llm/generate", json={"model": "gemini-third", "prompt": "Why?"}, headers={"Origin": origin}
    )
    assert_error(answer, 500, "internal_error", records)
    assert "canary" not in answer.text
    assert answer.headers["access-control-allow-origin"] == origin
    (failure,) = [record for record in records() if "exception" in record]
    assert failure["exception"][-1]["exc_type"] == "RuntimeError"


async def test_cors_is_an_allow_list(service: httpx.AsyncClient) -> None:
    for origin, granted in (
        ("https://app.example.org", "https://app.example.org"),
        ("https://evil.example", None),
        ("null", None),
        ("https://app.example.org.evil.example", None),
        ("http://app.example.org", None),
    ):
        plain = await service.get("/health", headers={"Origin": origin})
        preflight = await service.options(
            "/llm/generate", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert plain.headers.get("access-control-allow-origin") == granted
        assert preflight.headers.get("access-control-allow-origin") == granted


async def test_models(service: httpx.AsyncClient) -> None:
    for path in ("/llm/models", "/v1/models"):
        models = (await service.get(path)).json()["data"]
        assert [model["id"] for model in models] == [
            "groq-kimi-primary",
            "gpt-4o-secondary",
            "gemini-third",
            "openrouter-fallback",
        ]


async def test_liveness_says_that_the_process_is_alive(service: httpx.AsyncClient) -> None:
    answer = await service.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_readiness_names_what_is_down(service: httpx.AsyncClient) -> None:
    answer = await service.get("/health/detailed")
    checks = answer.json()["checks"]
    assert answer.status_code == 503
    assert answer.json()["status"] == "degraded"
    assert checks.pop("circuit_breaker")["state"] == "closed"
    assert {name: check["healthy"] for name, check in checks.items()} == {
        "qdrant": False,
        "litellm": True,
        "mlflow": False,
    }
    assert "127.0.0.1" not in answer.text


async def test_the_cache_is_named_as_down(service: httpx.AsyncClient, records: Records) -> None:
    stats = await service.get("/llm/cache/stats")
    assert (stats.status_code, stats.json()["available"]) == (200, False)
    assert_error(await service.delete("/llm/cache/clear"), 503, "cache_unavailable", records)


async def test_metrics(service: httpx.AsyncClient) -> None:
    await ask(service)
    await service.get("/nowhere/else")
    text = (await service.get("/metrics")).text
    assert re.search(r'http_requests_total\{method="POST",route="/llm/generate",status="200"\} [1-9]', text)
    assert "/nowhere" not in text
    assert "llm_circuit_breaker_state 0.0" in text


async def test_ids_are_kept_replaced_and_logged(service: httpx.AsyncClient, records: Records) -> None:
    kept = await service.get("/health", headers={"X-Request-ID": "trace.me_1-2"})
    assert kept.headers["x-request-id"] == "trace.me_1-2"
    for hostile in ('a"b', "{}", "a b", "x" * 129, "", "é"):
        answer = await service.get("/nowhere", headers={b"X-Request-ID": hostile.encode()})
        assert UUID(answer.headers["x-request-id"])
    access = [record for record in records() if record["logger"] == "api.access"]
    assert any(record["request_id"] == "trace.me_1-2" for record in access)
    assert len({record["request_id"] for record in access}) == len(access)
    assert {record["level"] for record in access if record["status"] == 200} == {"info"}
    assert {record["level"] for record in access if record["status"] == 404} == {"warning"}
