from types import SimpleNamespace
from unittest.mock import AsyncMock, patch

import pytest
from fastapi.testclient import TestClient

from src.main import app

client = TestClient(app)


@pytest.fixture
def mock_llm():
    response = SimpleNamespace(
        model="gpt-4o-mini",
        choices=[SimpleNamespace(message=SimpleNamespace(content="Mocked response"))],
        usage=SimpleNamespace(prompt_tokens=10, completion_tokens=5, total_tokens=15),
    )
    with patch("src.api.chat.call_llm", AsyncMock(return_value=(response, 12.3))) as mock:
        yield mock


def test_chat_completion_success(mock_llm):
    response = client.post(
        "/api/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "Hello"}]},
    )
    assert response.status_code == 200
    assert response.json()["content"] == "Mocked response"


def test_chat_completion_default_model(mock_llm):
    client.post(
        "/api/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "Hello"}]},
    )
    assert mock_llm.call_args.args[1] == "gpt-4o-mini"


def test_chat_completion_invalid_role(mock_llm):
    response = client.post(
        "/api/v1/chat/completions",
        json={"messages": [{"role": "invalid", "content": "Hello"}]},
    )
    assert response.status_code == 422


def test_chat_completion_empty_messages(mock_llm):
    response = client.post("/api/v1/chat/completions", json={"messages": []})
    assert response.status_code == 422


def test_chat_completion_too_many_tokens(mock_llm):
    response = client.post(
        "/api/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100000},
    )
    assert response.status_code == 422


def test_health_healthy():
    with patch("src.api.health.check_provider", AsyncMock(return_value=True)):
        response = client.get("/health")
    assert response.status_code == 200


def test_health_unhealthy():
    with patch("src.api.health.check_provider", AsyncMock(return_value=False)):
        response = client.get("/health")
    assert response.status_code == 503
