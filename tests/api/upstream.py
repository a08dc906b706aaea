"""A model on a real socket: answers as it is told to, one behaviour for each call, and counts the calls."""

import asyncio
import json
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from tests.connections import serving

Behaviour = Callable[[asyncio.StreamWriter, dict[str, Any]], Awaitable[None]]


def respond(
    status: int = 200,
    body: bytes = b"{}",
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    announce: int | None = None,
) -> Behaviour:
    """One answer; `announce` is the Content-Length, if it is to be a lie."""

    async def behave(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
        head = {"content-type": content_type, "content-length": str(announce or len(body)), **(headers or {})}
        lines = [
            f"HTTP/1.1 {status} X",
            *(f"{name}: {value}" for name, value in head.items()),
            "connection: close",
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return behave


def completion(
    content: Any = "Hello", *, delay: float = 0, headers: dict[str, str] | None = None
) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        await asyncio.sleep(delay)
        body = {
            "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        }
        await respond(body=json.dumps(body).encode(), headers=headers)(writer, request)

    return behave


async def hang(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
    await writer.wait_closed()


async def drip(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def hang_up(_writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
    """Close the connection without a byte of an answer."""


async def reset(writer: asyncio.StreamWriter, _request: dict[str, Any]) -> None:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Upstream:
    """`script` holds the behaviours of the calls to come; when it is used up, `otherwise` stands for each."""

    port: int = 0
    script: deque[Behaviour] = field(default_factory=deque)
    otherwise: Behaviour = field(default_factory=completion)
    calls: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if not request_line.startswith("POST "):
            await respond()(writer, {})
            return
        request = {"path": request_line.split()[1], "headers": headers, "body": body}
        self.calls.append(request)
        self.times.append(asyncio.get_running_loop().time())
        self.called.set()
        behaviour = self.script.popleft() if self.script else self.otherwise
        behaving = asyncio.ensure_future(behaviour(writer, request))
        leaving = asyncio.ensure_future(reader.read())
        try:
            done, _pending = await asyncio.wait({behaving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving in done:
                self.hung_up.set()
        finally:
            for task in (behaving, leaving):
                task.cancel()
            await asyncio.gather(behaving, leaving, return_exceptions=True)


@asynccontextmanager
async def run_upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with serving(upstream.serve) as upstream.port:
        yield upstream
