import asyncio
import logging

import httpx
import pytest

from src.config.logging_config import add_request_id
from tests.conftest import FakeProvider

CHAT = "/api/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("given", ["monday-1", "a", "A_b.c-9", "x" * 128])
async def test_a_sane_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    response = await client.post(CHAT, json=HELLO, headers={"X-Request-ID": given})

    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "<b>", 'quo"te'])
async def test_another_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    responses = await asyncio.gather(
        *(client.get("/health", headers={"X-Request-ID": given}) for _ in range(50))
    )

    made = {response.headers["X-Request-ID"] for response in responses}
    assert len(made) == 50
    assert given not in made


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", CHAT, 405), ("POST", CHAT, 422)]
)
async def test_errors_have_an_id_too(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, path, headers={"X-Request-ID": "monday-1"})

    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "monday-1"


class Collect(logging.Handler):
    """Collects the ids of the lines that end a request."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(add_request_id)
        self.ids: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "src.middleware.request_log":
            self.ids.append(self.format(record))


@pytest.mark.parametrize("status", [200, 500])
async def test_log_lines_have_the_id(client: httpx.AsyncClient, provider: FakeProvider, status: int) -> None:
    provider.statuses = {"gpt-4o": status}
    collect = Collect()
    collect.setFormatter(logging.Formatter("%(request_id)s"))
    logging.getLogger().addHandler(collect)
    ids = [f"request-{number}" for number in range(5)]

    await asyncio.gather(*(client.post(CHAT, json=HELLO, headers={"X-Request-ID": one}) for one in ids))

    assert sorted(collect.ids) == ids
