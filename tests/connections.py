"""Servers of a test's own that answer each connection with a function."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Give the port on which `serve` has each connection, which is closed when it returns or its client has gone.

    Leaving the context cancels what still runs and waits until every connection is closed: one left to the garbage
    collector would fail whichever test comes next. What `serve` raised, other than a ConnectionError or an
    IncompleteReadError, is raised then.
    """
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await serve(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for handler in handlers:
                handler.cancel()
            for ended in await asyncio.gather(*handlers, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
