"""Integration tests with Flask's client."""

import httpx
import pytest
import respx

from dataclasses import replace

from src.config.settings import get_settings
from src.main import create_app
from tests.support.provider import completion

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def web():
    settings = replace(get_settings(), openai_base_url="https://openai.test/v1", rate_limit_requests=3)
    with create_app(settings).test_client() as web:
        yield web


@pytest.fixture
def openai():
    with respx.mock(base_url="https://openai.test/v1", assert_all_called=False) as router:
        router.post("/chat/completions").mock(return_value=completion("Bonjour", used=(21, 9)))
        router.get("/models").mock(return_value=httpx.Response(500))
        yield router


def test_answer(web, openai):
    body = web.post(CHAT, json=HELLO).get_json()
    assert body["content"] == "Bonjour"
    assert body["usage"]["total_tokens"] == 30


def test_limit(web, openai):
    assert [web.post(CHAT, json=HELLO).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_refusal(web):
    assert web.post(CHAT, json={"messages": []}).status_code == 422


def test_health(web, openai):
    assert web.get("/health").status_code == 503


def test_id(web):
    assert web.get("/x", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] == "mine"
