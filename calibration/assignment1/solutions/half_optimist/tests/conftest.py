import os

os.environ["OPENAI_API_KEY"] = "test"

import pytest
from fastapi.testclient import TestClient

from src.main import app
from src.models.responses import ChatResponse, Usage
from src.services.llm import LLMProvider, get_provider


class FakeProvider(LLMProvider):
    healthy = True

    async def complete(self, request):
        return ChatResponse(
            content="Hello from the fake",
            model=request.model or "gpt-4o-mini",
            usage=Usage(prompt_tokens=10, completion_tokens=20, total_tokens=30),
            cost_usd=0.0000135,
            latency_ms=1.0,
        )

    async def is_healthy(self):
        return self.healthy


@pytest.fixture
def provider():
    return FakeProvider()


@pytest.fixture
def client(provider):
    app.dependency_overrides[get_provider] = lambda: provider
    yield TestClient(app)
    app.dependency_overrides.clear()
