import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from src.app import create_app
from src.config.settings import Settings
from src.services.providers import Provider, Providers
from tests.fakes import FakeProvider

MakeClient = Callable[..., httpx.AsyncClient]
VARIABLES = [name.upper() for name in Settings.model_fields]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the variables and the `.env` file of whoever runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-of-openai")


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Give the root logger back the handlers that it had: the application replaces them."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def make_client(provider: FakeProvider) -> AsyncIterator[MakeClient]:
    """Return a function that starts an application with some settings, and returns a client of it."""
    async with AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []

        def make(
            address: str = "10.0.0.1", anthropic: Provider | None = None, **settings: Any
        ) -> httpx.AsyncClient:
            app = create_app(Settings(**settings), Providers(provider, anthropic))
            transport = httpx.ASGITransport(app, client=(address, 50000), raise_app_exceptions=False)
            clients.append(httpx.AsyncClient(transport=transport, base_url="http://service"))
            stack.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> httpx.AsyncClient:
    return make_client()
