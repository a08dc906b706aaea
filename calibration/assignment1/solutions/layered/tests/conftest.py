import os

# Before anything imports the settings. The environment wins over a developer's .env.
os.environ.update(
    {
        "OPENAI_API_KEY": "test-key",
        "OPENAI_BASE_URL": "http://openai.invalid/v1",
        "ANTHROPIC_API_KEY": "",
        "DEFAULT_MODEL": "gpt-4o-mini",
        "MAX_TOKENS_PER_REQUEST": "2000",
        "RATE_LIMIT_REQUESTS": "1000",
        "RATE_LIMIT_WINDOW": "60",
        "DAILY_COST_LIMIT": "10",
    }
)

import httpx
import pytest
from fastapi.testclient import TestClient
from tenacity import wait_none

from src.main import app
from src.services.budget import DailyBudget
from src.services.health import HealthCheck
from src.services.llm import LLMService
from src.services.providers.openai import OpenAIProvider
from src.services.ratelimit import TokenBucketLimiter
from tests.fakes import FakeOpenAI


@pytest.fixture
def openai() -> FakeOpenAI:
    return FakeOpenAI()


@pytest.fixture
def client(openai: FakeOpenAI) -> TestClient:
    """The real application, with OpenAI's side of the wire replaced."""
    transport = httpx.MockTransport(openai.handle)
    providers = {"openai": OpenAIProvider("test-key", "http://openai.invalid/v1", transport)}
    app.state.budget = DailyBudget(10.0)
    app.state.limiter = TokenBucketLimiter(1000, 60)
    app.state.llm = LLMService(providers, app.state.budget)
    app.state.health = HealthCheck(providers)
    return TestClient(app)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.services.llm.backoff", wait_none())
