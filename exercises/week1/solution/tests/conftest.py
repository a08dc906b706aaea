import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest

from src.app import create_app
from src.config.settings import Settings


class FakeProvider:
    """Answers each model with its status, 200 unless a test says otherwise."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.models: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        model = json.loads(request.content)["model"]
        self.models.append(model)
        status = self.statuses.get(model, 200)
        return httpx2.Response(status, json=_answer(model) if status == 200 else {"error": {"message": "no"}})


def _answer(model: str) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
    }


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def client(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(provider))
    app = create_app(
        Settings(_env_file=None), openai.AsyncOpenAI(api_key="k", max_retries=0, http_client=http_client)
    )
    transport = httpx.ASGITransport(app, client=("10.0.0.1", 50000), raise_app_exceptions=False)
    async with http_client, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Give the root logger back the handlers that it had: the application replaces them."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
