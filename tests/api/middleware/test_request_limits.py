import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.support import RunService

pytestmark = pytest.mark.medium

BODY = json.dumps({"model": "gemini-third", "prompt": "Why?"}).encode()
JSON = {"Content-Type": "application/json"}


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


async def raw(client: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(client.base_url.host, client.base_url.port)


async def test_under_the_limit_is_served(service: httpx.AsyncClient) -> None:
    padded = BODY + b" " * 900_000
    announced = await service.post("/llm/generate", content=padded, headers=JSON)
    chunked = await service.post("/llm/generate", content=in_chunks(padded), headers=JSON)
    assert (announced.status_code, chunked.status_code) == (200, 200)


async def test_over_the_limit_is_413(service: httpx.AsyncClient) -> None:
    padded = BODY + b" " * 2_000_000
    announced = await service.post("/llm/generate", content=padded, headers=JSON)
    chunked = await service.post("/llm/generate", content=in_chunks(padded), headers=JSON)
    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.json()["error"] == "body_too_large"
        assert answer.headers["x-request-id"]


async def test_413_does_not_wait_for_the_body(service: httpx.AsyncClient) -> None:
    reader, writer = await raw(service)
    writer.write(b"POST /llm/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n")
    async with asyncio.timeout(1):
        assert (await reader.readline()).split()[1] == b"413"
    async with asyncio.timeout(5):
        assert b"body_too_large" in await reader.read(), "and closes the connection"
    writer.close()


async def test_a_client_that_sends_on_gets_its_answer(service: httpx.AsyncClient) -> None:
    reader, writer = await raw(service)
    writer.write(b"POST /llm/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\n\r\n")
    for _ in range(20):
        writer.write(b" " * 1_000_000)
        await writer.drain()
    async with asyncio.timeout(5):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_half_a_body_is_408(run_service: RunService) -> None:
    async with run_service(body_timeout=0.2) as client:
        reader, writer = await raw(client)
        writer.write(b"POST /llm/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.split()[1] == b"408"
        assert b'"request_timeout"' in answer
        writer.close()


async def test_a_client_that_leaves_in_the_middle_is_forgotten(run_service: RunService) -> None:
    async with run_service() as client:
        _reader, writer = await raw(client)
        writer.write(b"POST /llm/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await client.get("/health")).status_code == 200
