"""Makes many requests without making them all at once."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def few_at_once(requests: Iterable[Coroutine[Any, Any, object]], *, most: int) -> None:
    """Make all requests, at most `most` of them at a time."""
    turns = asyncio.Semaphore(most)

    async def in_turn(request: Coroutine[Any, Any, object]) -> None:
        async with turns:
            await request

    await asyncio.gather(*map(in_turn, requests))
