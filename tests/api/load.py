"""Callers who ask a service for a while, and what became of each of their requests."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

CONNECTIONS = 16
"""How many ask at once to find the peak rate."""
ANSWER_SECONDS = 60.0
KEEP_SECONDS = 2.0
"""Less than a server keeps idle connections: a request that meets its closing would be lost between the two."""
MODEL = "gpt-4o-secondary"
NO_LIMITS = {
    "RATE_LIMITS": '{"enterprise": "100000000/minute"}',
    "TOKEN_LIMITS": '{"enterprise": "100000000000/minute"}',
    "DAILY_BUDGETS": '{"enterprise": 1000000}',
}
"""The environment of a service that turns none of the callers away."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and how it ended; `status` is None if no answer came, `whole` whether it came to its end."""

    request_id: str
    began: float
    ended: float
    status: int | None
    whole: bool
    failed: str | None


@dataclass
class Callers:
    """Ask the service at `url` in turn by each of `identities`, which are headers; `asked` are the requests so far."""

    url: str
    identities: Sequence[Mapping[str, str]]
    asked: list[Asked] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def connected(self, *, reuse: bool = True) -> AsyncIterator[None]:
        """Connect when a question needs it; with `reuse`, a connection also serves later questions."""
        keeping: dict[str, Any] = {"keepalive_timeout": KEEP_SECONDS} if reuse else {"force_close": True}
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, **keeping),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        ) as self._session:
            yield

    async def ask(self) -> None:
        """Ask the next question: in turn as a stream, whole, and as a prompt that may be in the cache."""
        assert self._session is not None
        number = next(self._numbers)
        request_id = f"load-{number}"
        began = time.monotonic()
        status: int | None = None
        failed: str | None = None
        whole = False
        path, fields = _question(number)
        headers = {"X-Request-ID": request_id, **self.identities[number // 3 % len(self.identities)]}
        try:
            async with self._session.post(self.url + path, json=fields, headers=headers) as answer:
                status = answer.status
                body = await answer.read()
            whole, failed = _judge(body, streamed=status == 200 and bool(fields.get("stream")))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            failed = type(error).__name__
        self.asked.append(Asked(request_id, began, time.monotonic(), status, whole, failed))

    async def saturate(self, seconds: float) -> float:
        """Ask without a pause; return the answers a second."""
        began, before = time.monotonic(), len(self.asked)

        async def ask_on() -> None:
            while time.monotonic() < began + seconds:
                await self.ask()

        await asyncio.gather(*(ask_on() for _ in range(CONNECTIONS)))
        return (len(self.asked) - before) / (time.monotonic() - began)

    @asynccontextmanager
    async def asking(self, rate: float) -> AsyncIterator[None]:
        """Ask `rate` questions a second, whether or not earlier ones are answered; leaving it waits for all answers."""
        end = asyncio.Event()
        asking = asyncio.create_task(self._ask_until(end, rate))
        try:
            yield
        finally:
            end.set()
            await asking

    async def _ask_until(self, end: asyncio.Event, rate: float) -> None:
        asking: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        for number in count():
            await asyncio.sleep(began + number / rate - time.monotonic())
            if end.is_set():
                break
            task = asyncio.create_task(self.ask())
            asking.add(task)
            task.add_done_callback(asking.discard)
        if asking:
            await asyncio.wait(asking)


def _question(number: int) -> tuple[str, dict[str, Any]]:
    text = f"Question {number}: what is there?"
    messages = [{"role": "user", "content": text}]
    match number % 6:
        case 0 | 3:
            return "/v1/chat/completions", {"model": MODEL, "messages": messages, "stream": True}
        case 1 | 4:
            return "/v1/chat/completions", {"model": MODEL, "messages": messages}
        case 2:
            return "/llm/generate", {"model": MODEL, "prompt": text}
    return "/llm/generate", {"model": MODEL, "prompt": f"Question {number % 50}"}


def _judge(body: bytes, *, streamed: bool) -> tuple[bool, str | None]:
    """Whether an answer is whole, and what failed according to it."""
    if not streamed:
        answer = json.loads(body)
        error = answer.get("error")
        return True, error.get("code") if isinstance(error, dict) else error
    *_, last = [line for line in body.split(b"\n\n") if line] or [b""]
    data = last.removeprefix(b"data: ")
    if data == b"[DONE]":
        return True, None
    with suppress(ValueError, KeyError, TypeError):
        return True, json.loads(data)["error"]["code"]
    return False, "cut"
