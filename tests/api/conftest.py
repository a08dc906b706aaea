"""The service on a real socket, in the test's own event loop; what it rests on is refused unless a test says so."""

import asyncio
import io
import json
import logging
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn

from api.config.app import create_app
from api.config.logging_config import configure_logging
from api.config.settings import Settings
from tests.api.database import Database, run_database
from tests.api.support import PASSWORD, REFUSED, SECRET, Records, RunService
from tests.api.upstream import Upstream, run_upstream


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.delenv("BACKEND_URL", raising=False)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """An environment with which the service starts."""
    return {
        "ENVIRONMENT": "test",
        "JWT_SECRET_KEY": SECRET,
        "AUTH_ADMIN_PASSWORD": PASSWORD,
        "AUTH_USER_PASSWORD": PASSWORD + "-too",
        "CORS_ORIGINS": '["https://app.example.org"]',
        "LITELLM_URL": REFUSED,
        "QDRANT_URL": REFUSED,
        "MLFLOW_TRACKING_URI": REFUSED,
        "TRACE_FALLBACK_PATH": str(tmp_path / "traces.jsonl"),
        "DATABASE_PATH": str(tmp_path / "api.db"),
        "USAGE_OUTBOX_PATH": str(tmp_path / "usage"),
    }


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with run_upstream() as running:
        yield running


@pytest.fixture
def records() -> Iterator[Records]:
    """Configures logging; call for the records so far."""
    root = logging.getLogger()
    before = root.handlers, root.level, sys.excepthook, threading.excepthook, sys.unraisablehook
    configure_logging(secrets=[SECRET, PASSWORD])
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    output = io.StringIO()
    handler.setStream(output)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.handlers, root.level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    structlog.reset_defaults()


@pytest.fixture
def run_service(
    variables: dict[str, str], upstream: Upstream, monkeypatch: pytest.MonkeyPatch, records: Records
) -> RunService:
    """A context with the service in it, given settings by keyword; yields a client that is logged in."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        for name, value in {**variables, "LITELLM_URL": upstream.url}.items():
            monkeypatch.setenv(name, value)
        app = create_app(Settings(**settings))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                    login = {"username": "admin", "password": PASSWORD}
                    token = (await client.post("/auth/login", json=login)).json()["access_token"]
                    client.headers["Authorization"] = f"Bearer {token}"
                    yield client
            finally:
                server.should_exit = True
                await serving

    return run


@pytest.fixture
async def service(run_service: RunService) -> AsyncIterator[httpx.AsyncClient]:
    async with run_service() as client:
        yield client


@pytest.fixture
async def postgres() -> AsyncIterator[Database]:
    async with run_database() as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
async def database_variables(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Settings of the service's database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        yield {"database_path": str(tmp_path / "api.db")}
    else:
        async with run_database() as database:
            yield {"database_url": database.url}
