"""A stand-in as a program of its own, for containers: `python -m chaos.llm`, `python -m chaos.qdrant`.

It prints the calls that it gets and how they end as a history has them, one JSON object a line.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

from chaos.history import Call, Event, Reply
from chaos.recorder import Recorder
from chaos.stand_in import StandIn

E = TypeVar("E", bound=Event)


class Factory(Protocol):
    """What makes a stand-in, such as its class."""

    def __call__(self, recorder: Recorder, *, host: str, port: int) -> StandIn:
        """Make one that has yet to be entered."""


class PrintingRecorder(Recorder):
    """Prints counted calls and their replies, and keeps nothing."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write
        self._open: set[int] = set()

    def record(self, event: E, *, at: float | None = None) -> E:
        """Stamp an event, and print it where it belongs to a counted call."""
        stamped = event.model_copy(update={"t": round(self.now() if at is None else at, 6)})
        if isinstance(stamped, Call) and stamped.counted:
            self._open.add(stamped.call)
            self._write(f"{stamped.model_dump_json()}\n")
        elif isinstance(stamped, Reply) and stamped.call in self._open:
            self._open.remove(stamped.call)
            self._write(f"{stamped.model_dump_json()}\n")
        return stamped


def run(stand_in: Factory, *, port: int, description: str) -> int:
    """Serve until SIGTERM or SIGINT; `port` is the default. Exits 0, or 1 where the port cannot be had."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=port, help="(%(default)s)")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a terminal, a file or a pipe
    recorder = PrintingRecorder(sys.stdout.write)
    try:
        asyncio.run(_serve(stand_in(recorder, host=options.host, port=options.port)))
    except OSError as error:
        sys.stderr.write(f"{options.host}:{options.port} cannot be listened on: {error.strerror}\n")
        return 1
    return 0


async def _serve(stand_in: StandIn) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with stand_in:
        await stop.wait()
