"""Not working for a client that has left."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from api.services.errors import ClientDisconnectedError

T = TypeVar("T")


async def cancel_on_disconnect(receive: Receive, operation: Coroutine[Any, Any, T]) -> T:
    """Await `operation`, but cancel it and raise ClientDisconnectedError when the client closes its connection.

    The request's body must have been read.
    """
    work = asyncio.create_task(operation)
    departure = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({work, departure}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise ClientDisconnectedError
    finally:
        for task in (work, departure):
            task.cancel()
        await asyncio.wait({work, departure})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
