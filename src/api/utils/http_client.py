"""httpx's client, made safe for callers that stop waiting."""

import asyncio
from asyncio import Task, TimerHandle
from functools import partial
from typing import Any

import httpx

ABANDONED_SECONDS = 10.0
"""Longer than a call may wait for a connection: what is cancelled after that has one in use, which is closed."""

_abandoned: set[Task[httpx.Response]] = set()


class HttpClient(httpx.AsyncClient):
    """A call that is cancelled goes on in the background, until its own timeouts end it or ABANDONED_SECONDS.

    If httpcore (1.0) is cancelled between connecting and asking, it neither uses the connection again nor closes it. A
    hundred such moments fill the pool for good, and a busy process with short timeouts has them.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        sending = asyncio.create_task(super().send(request, **options))
        try:
            await asyncio.wait([sending])
        except asyncio.CancelledError:
            _abandon(sending)
            raise
        return sending.result()


def _abandon(sending: Task[httpx.Response]) -> None:
    _abandoned.add(sending)
    timer = asyncio.get_running_loop().call_later(ABANDONED_SECONDS, sending.cancel)
    sending.add_done_callback(partial(_forget, timer))


def _forget(timer: TimerHandle, sending: Task[httpx.Response]) -> None:
    timer.cancel()
    _abandoned.discard(sending)
    if not sending.cancelled():
        sending.exception()  # nobody is left to be told
