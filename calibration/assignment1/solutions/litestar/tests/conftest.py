import os

OPENAI = "http://openai.test/v1"
ANTHROPIC = "http://anthropic.test"

os.environ |= {
    "OPENAI_API_KEY": "key-of-the-tests",
    "OPENAI_BASE_URL": OPENAI,
    "ANTHROPIC_API_KEY": "",
    "ANTHROPIC_BASE_URL": ANTHROPIC,
    "APP_NAME": "tested",
    "DEBUG": "false",
    "DEFAULT_MODEL": "gpt-4o-mini",
    "MAX_TOKENS_PER_REQUEST": "512",
    "RATE_LIMIT_REQUESTS": "5",
    "RATE_LIMIT_WINDOW": "60",
    "DAILY_COST_LIMIT": "1",
}

import pytest
import respx
import stamina
from litestar.testing import TestClient

from src.main import app


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("src.services.monitor.PERIOD", 0.02)
    with stamina.set_testing(True, attempts=4):
        yield


@pytest.fixture
def upstream():
    """Both providers. What a test does not mock cannot be reached."""
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{OPENAI}/models").respond(json={"data": []})
        yield router


@pytest.fixture
def openai(upstream):
    return upstream.post(f"{OPENAI}/chat/completions").respond(json=completion())


@pytest.fixture
def client(openai):
    app.state.limiter.counts.clear()
    app.state.purse.spent_on.clear()
    with TestClient(app) as test_client:
        yield test_client


def completion(model="gpt-4o-mini"):
    return {
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": "A fine day."}}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
    }
