from types import SimpleNamespace as Obj

import pytest
from fastapi.testclient import TestClient

from src.api import chat
from src.main import app

URL = "/api/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}


class FakeLLM:
    async def create(self, model, **params):
        return Obj(
            model=model,
            choices=[Obj(message=Obj(content="Hello"))],
            usage=Obj(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        )


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(chat.service, "llm", FakeLLM())
    chat.limiter.clients.clear()
    return TestClient(app)


def test_chat(client):
    assert client.post(URL, json=BODY).status_code == 200


def test_model(client):
    assert client.post(URL, json={**BODY, "model": "gpt-4o"}).json()["model"] == "gpt-4o"


def test_max_tokens(client):
    assert client.post(URL, json={**BODY, "max_tokens": 5000}).status_code == 400


def test_invalid(client):
    assert client.post(URL, json={}).text == "Invalid request"


def test_not_found(client):
    assert client.get("/nothing").status_code == 404


def test_health(client):
    assert client.get("/health").json()["status"] == "ok"
