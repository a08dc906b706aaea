import asyncio
import contextlib

import httpx
import pytest

from api.utils.http_client import HttpClient
from tests.connections import serving

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
MOMENTS = 40
"""In how many passes of the event loop a call to the same loop is over, and some more."""


async def test_a_call_that_is_cancelled_at_any_moment_leaves_no_connection() -> None:
    connected: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
        finally:
            connected.discard(writer)

    async with serving(serve) as port, HttpClient() as client:
        for moment in range(MOMENTS):
            asking = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/"))
            for _ in range(moment):
                await asyncio.sleep(0)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
        async with asyncio.timeout(10):
            while connected:
                await asyncio.sleep(0.01)


async def test_a_call_that_nobody_waits_for_ends_by_its_own_timeout() -> None:
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with serving(hang) as port, HttpClient(timeout=0.5) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.get(f"http://127.0.0.1:{port}/")
        async with asyncio.timeout(10):
            await gone.wait()


async def test_what_goes_wrong_is_raised() -> None:
    async with HttpClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:9/")
