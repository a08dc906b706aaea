"""Ends work for a caller that has left."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from src.services.errors import CallerLeftError

T = TypeVar("T")


async def unless_disconnected(request: Request, operation: Coroutine[Any, Any, T]) -> T:
    """Await `operation`. Cancels it and raises CallerLeftError if the caller closes the connection first."""
    work = asyncio.create_task(operation)
    departure = asyncio.create_task(_departure(request))
    try:
        await asyncio.wait({work, departure}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise CallerLeftError
    finally:
        work.cancel()
        departure.cancel()
        await asyncio.wait({work, departure})


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
