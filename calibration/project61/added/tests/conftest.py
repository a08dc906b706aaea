"""The gateway in this process, in front of a backend of these tests."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestServer

sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]

from backend import Backend

from api.config.app import create_app
from api.config.settings import Settings
from api.services.tokens import TokenService
from api.utils import retry

Run = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
SECRET = "q8Zt3vLw0Xn5Rb7Kd2Hf9Jm4Pc6Sg1Ty"
PASSWORD = "a password of these tests"
EVERYTHING = ["chat", "embeddings", "models", "usage", "admin"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a hundredth of every pause, and read no variable from outside."""
    monkeypatch.setattr(retry, "equal_jitter", lambda cap, _uniform: cap / 100)
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    running = Backend()
    async with TestServer(running.application()) as server:
        running.url = str(server.make_url("")).rstrip("/")
        yield running


@pytest.fixture
def run(backend: Backend, tmp_path: Path) -> Run:
    """Return a context with the gateway in it, which gives a client that has logged in as the admin `ada`."""

    @asynccontextmanager
    async def running(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        users = [
            {"username": "ada", "password": PASSWORD, "tier": "enterprise", "permissions": EVERYTHING},
            {"username": "bob", "password": PASSWORD, "tier": "free", "permissions": ["chat", "usage"]},
        ]
        app = create_app(
            Settings(
                jwt_secret_key=SECRET,
                bootstrap_users=json.dumps(users),
                litellm_url=backend.url,
                mlflow_tracking_uri=backend.url,
                database_path=tmp_path / "api.db",
                usage_outbox_path=tmp_path / "usage",
                trace_fallback_path=tmp_path / "traces.jsonl",
                **settings,
            )
        )
        async with app.router.lifespan_context(app) as state:

            async def with_state(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "state": dict(state)}, receive, send)

            transport = httpx.ASGITransport(with_state)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=20) as client:
                token = TokenService(secret=SECRET, lifetime=timedelta(minutes=5)).issue("ada")
                client.headers["Authorization"] = f"Bearer {token}"
                yield client

    return running


@pytest.fixture
async def client(run: Run) -> AsyncIterator[httpx.AsyncClient]:
    async with run() as running:
        yield running


async def logged_in(client: httpx.AsyncClient, name: str) -> str:
    answer = await client.post("/auth/login", json={"username": name, "password": PASSWORD})
    return f"Bearer {answer.json()['access_token']}"


@pytest.fixture
async def with_database(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return the client once the gateway has connected to its database, in the background."""
    async with asyncio.timeout(20):
        while (await client.get("/v1/usage")).status_code != 200:
            await asyncio.sleep(0.05)
    return client


async def chat(client: httpx.AsyncClient, text: str = "Where?", **fields: Any) -> httpx.Response:
    body = {"model": "small", "messages": [{"role": "user", "content": text}], **fields}
    return await client.post("/v1/chat/completions", json=body)
