"""What several test modules share."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from api.config.settings import Settings

SECRET = "q8Zt3vLw0Xn5Rb7Kd2Hf9Jm4Pc6Sg1Ty"
PASSWORD = "correct-horse-battery"
REFUSED = "http://127.0.0.1:9"

RunService = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Records = Callable[[], list[dict[str, Any]]]


def read_settings(**overrides: Any) -> Settings:
    return Settings(**overrides)


async def ask(
    client: httpx.AsyncClient,
    prompt: str = "Hello?",
    *,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> httpx.Response:
    question = {"model": "gpt-4o-secondary", "prompt": prompt, **fields}
    return await client.post("/llm/generate", json=question, headers=headers)
