"""A backend in this process, and a gateway without Redis and PostgreSQL in front of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.application import Gateway
from gateway.settings import Rate, Settings, User

PERMISSIONS = frozenset({"chat", "embeddings", "models", "usage"})
USERS = {
    "ann": User("ann", "ann's password", "free", PERMISSIONS),
    "max": User("max", "max's password", "premium", frozenset({"models"})),
}


class ScriptedBackend:
    """Answers with the scripted statuses first, then well."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[dict[str, Any]] = []
        self.breaks = False

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.statuses:
            return web.json_response({"error": {"message": "no"}}, status=self.statuses.pop(0))
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "Hello"}
            return web.json_response(
                {"model": body["model"], "choices": [{"index": 0, "message": message}], "usage": usage}
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ("Hel", "lo"):
            chunk = {"choices": [{"index": 0, "delta": {"content": word}}]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if self.breaks:
            await response.write(b'data: {"error": {"message": "broken"}}\n\n')
            return response
        await response.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/v1/models", self.models)
        return TestServer(app)

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "small"}]})


class Stage:
    def __init__(self, backend: ScriptedBackend, gateway: Gateway, client: TestClient) -> None:
        self.backend = backend
        self.gateway = gateway
        self.client = client

    def headers(self, name: str = "ann") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.gateway.tokens.issue(name)}"}

    async def chat(self, name: str = "ann", **fields: Any) -> Any:
        body = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.client.post("/v1/chat/completions", json=body, headers=self.headers(name))


Play = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def run(act: Play, **changes: Any) -> None:
        async def whole() -> None:
            backend = ScriptedBackend()
            async with backend.server() as server:
                settings = Settings(
                    backend_url=str(server.make_url("")).rstrip("/"),
                    jwt_secret="a secret of tests that is long enough",
                    users=USERS,
                    spool=tmp_path / "usage",
                    **{"rates": {"free": Rate(100, 60), "premium": Rate(100, 60)}, **changes},
                )
                gateway = Gateway(settings)
                async with TestClient(TestServer(gateway.application())) as client:
                    await act(Stage(backend, gateway, client))

        asyncio.run(whole())

    return run
