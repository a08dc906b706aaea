"""The real command, a real signal."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaos.llm import Held, ScriptedLLM, StalledStream
from chaos.recorder import Recorder
from tests.api.support import PASSWORD, ask
from tests.api.upstream import Upstream, completion, hang

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[3] / "src"


@dataclass
class Running:
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    output: Path

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exit(self, within: float) -> int:
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def drains(self) -> None:
        """Wait until it has said so."""
        async with asyncio.timeout(10):
            while not any(record["message"] == "shutdown: draining" for record in self.records()):
                await asyncio.sleep(0.02)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(variables: dict[str, str], upstream: Upstream, tmp_path: Path) -> Start:
    @asynccontextmanager
    async def run(**more: str) -> AsyncIterator[Running]:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        output = tmp_path / "output"
        descriptor = os.open(output, os.O_CREAT | os.O_WRONLY)
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "uvicorn", "api.main:app", "--app-dir", str(SOURCE), "--port", str(port)],
            env={**variables, "LITELLM_URL": upstream.url, **more},
            stdout=descriptor,
            stderr=descriptor,
        )
        os.close(descriptor)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            try:
                await _log_in(client)
                yield Running(process, client, output)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    return run


async def _log_in(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await client.post("/auth/login", json={"username": "admin", "password": PASSWORD})
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
                return


async def test_idle_it_leaves_at_once(start: Start) -> None:
    async with start() as service:
        service.terminate()
        assert await service.exit(within=5) == -signal.SIGTERM
        messages = [record["message"] for record in service.records()]
        assert "shutdown: draining" in messages
        assert "shutdown: complete" in messages


async def test_a_request_in_flight_gets_its_answer_and_its_trace(
    start: Start, upstream: Upstream, variables: dict[str, str]
) -> None:
    upstream.otherwise = completion("late", delay=2)
    async with start() as service:
        asking = asyncio.create_task(ask(service.client, "in flight"))
        async with asyncio.timeout(10):
            await upstream.called.wait()
        service.terminate()
        answer = await asking
        assert answer.json()["response"] == "late"
        assert await service.exit(within=5) == -signal.SIGTERM
    assert "in flight" in Path(variables["TRACE_FALLBACK_PATH"]).read_text()  # noqa: ASYNC240  a tiny local file


async def test_new_requests_are_refused(start: Start, upstream: Upstream) -> None:
    upstream.otherwise = hang
    async with start(DRAIN_TIMEOUT="2") as service:
        asking = asyncio.create_task(ask(service.client))
        async with asyncio.timeout(10):
            await upstream.called.wait()
        service.terminate()
        async with asyncio.timeout(5), httpx.AsyncClient(headers={"Connection": "close"}) as newcomer:
            while True:
                try:
                    answer = await newcomer.get(service.client.base_url.join("/health"))
                except httpx.TransportError:
                    break
                assert answer.status_code in {200, 503}
                await asyncio.sleep(0.05)
        assert not asking.done()
        assert (await asking).status_code == 503


STREAM = {"model": "gemini-third", "messages": [{"role": "user", "content": "Why?"}], "stream": True}


async def test_a_stream_in_flight_is_finished(start: Start) -> None:
    release = asyncio.Event()
    async with ScriptedLLM(Recorder()) as model, start(LITELLM_URL=model.url) as service:
        model.default(Held(release))
        async with service.client.stream("POST", "/v1/chat/completions", json=STREAM) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            service.terminate()
            await service.drains()
            release.set()
            assert [line async for line in lines][-2] == "data: [DONE]"
        assert await service.exit(within=8) == -signal.SIGTERM


async def test_a_stream_that_outlasts_the_drain_is_told(start: Start) -> None:
    async with ScriptedLLM(Recorder()) as model, start(LITELLM_URL=model.url, DRAIN_TIMEOUT="1") as service:
        model.default(StalledStream())
        async with service.client.stream("POST", "/v1/chat/completions", json=STREAM) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            service.terminate()
            last = [line async for line in lines][-2]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "shutting_down"
        (reply,) = await model.wait_for_replies(1)
        assert reply.outcome == "client-gone"
        assert await service.exit(within=8) == -signal.SIGTERM


async def test_nothing_holds_it_longer_than_the_drain(start: Start, upstream: Upstream) -> None:
    """A model that hangs, half a body, a client that does not read: all at once."""
    upstream.otherwise = hang
    async with start(DRAIN_TIMEOUT="1") as service:
        asking = asyncio.create_task(ask(service.client))
        async with asyncio.timeout(10):
            await upstream.called.wait()
        host, port = service.client.base_url.host, service.client.base_url.port
        _reader, half = await asyncio.open_connection(host, port)
        half.write(b"POST /llm/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        await half.drain()
        deaf = socket.create_connection((host, port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.setblocking(False)
        for _ in range(500):
            try:
                deaf.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            except BlockingIOError:
                break
        await asyncio.sleep(0.3)
        service.terminate()
        answer = await asking
        assert answer.status_code == 503
        assert answer.json()["error"] == "shutting_down"
        assert await service.exit(within=8) == -signal.SIGTERM
        half.close()
        deaf.close()
        assert all("message" in record for record in service.records())
