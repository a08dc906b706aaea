"""The drain begins with the signal to stop, which is heard on its way to the server's own handler.

uvicorn stops listening by itself, and waits for open requests: without end, unless it was started with a flag that
whoever starts this service may not know. And waiting in the lifespan's shutdown comes too late, after uvicorn's wait.
"""

import asyncio
import contextvars
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from api.services.drain import Drain

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A client that does not read its answer holds its connection open after our work is done; uvicorn must cut those.
_CUT_CONNECTIONS_AFTER = 1.0


@contextmanager
def hear_signals(drain: Drain) -> Iterator[None]:
    """Begin the drain when the process is told to stop, and pass the signal on to the server's own handler.

    Handlers are chained, not replaced: a server that does not hear the signal never exits. Does nothing outside
    the main thread, where signals cannot be heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    # The handler interrupts whatever runs, and would otherwise log under the id of somebody's request.
    own_context = contextvars.copy_context()
    chained = {sig: handler for sig in _SIGNALS if callable(handler := signal.getsignal(sig))}

    def hear(signum: int, frame: FrameType | None) -> None:
        if not drain.draining:
            drain.draining = True
            loop.call_soon_threadsafe(drain.begin, context=own_context)
        chained[signal.Signals(signum)](signum, frame)

    for sig, server_handler in chained.items():
        _bound_server(server_handler, drain.timeout + _CUT_CONNECTIONS_AFTER)
        signal.signal(sig, hear)
    try:
        yield
    finally:
        for sig, server_handler in chained.items():
            signal.signal(sig, server_handler)


def _bound_server(handler: object, seconds: float) -> None:
    """Bound uvicorn's wait, if it is uvicorn's handler and nobody has."""
    server = getattr(handler, "__self__", None)
    if isinstance(server, uvicorn.Server) and server.config.timeout_graceful_shutdown is None:
        server.config.timeout_graceful_shutdown = math.ceil(seconds)
