"""What operators ask, and what the gateway does at its start and end."""

import asyncio
import logging
import os
import signal

import httpx
import pytest
from backend import Backend
from conftest import Run, chat
from pydantic import ValidationError

from api.config.env_validator import load_settings
from api.config.logging_config import configure_logging
from api.config.settings import Settings


async def test_liveness_and_metrics(client: httpx.AsyncClient) -> None:
    await chat(client)
    assert (await client.get("/health")).json()["status"] == "alive"
    assert "# TYPE" in (await client.get("/metrics")).text


async def test_readiness_names_what_is_down(run: Run, backend: Backend) -> None:
    async with run(qdrant_url="http://127.0.0.1:9") as client:
        answer = await client.get("/health/detailed")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["litellm"]["healthy"]
    assert not checks["qdrant"]["healthy"]


async def test_an_unknown_path(client: httpx.AsyncClient) -> None:
    assert (await client.get("/no/such/path")).status_code == 404
    assert (await client.put("/health")).status_code == 405


async def test_a_body_that_is_too_large(run: Run) -> None:
    async with run(max_body_bytes=1000) as client:
        announced = await chat(client, "x" * 2000)

        async def parts() -> object:
            for _ in range(20):
                yield b"x" * 100

        streamed = await client.post("/v1/chat/completions", content=parts())
    assert announced.status_code == 413
    assert streamed.status_code in {411, 413}


async def test_sigterm_ends_new_work(run: Run) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # what a server would do
    async with run() as client:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        answer = await chat(client)
    signal.signal(signal.SIGTERM, before)
    assert answer.status_code == 503


def test_settings_without_a_secret_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_URL", "http://127.0.0.1:9")
    with pytest.raises(SystemExit):
        load_settings()


@pytest.mark.parametrize("secret", ["short", "secret" * 10, "abcdefghijklmnopqrstuvwxyz0123456789", "x" * 40])
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ValidationError):
        Settings(jwt_secret_key=secret, litellm_url="http://127.0.0.1:9", bootstrap_users="[]")


def test_the_log_has_no_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        configure_logging(secrets=["very secret"])
        logging.getLogger("a").warning("the word is %s", "very secret")
    finally:
        root.handlers, root.level = before
        logging.captureWarnings(capture=False)
    assert "very secret" not in "".join(capfd.readouterr())
