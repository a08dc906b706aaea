"""A running instance of a service, whatever it runs in."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import Literal, Self

from chaos.history import Exited, Signalled
from chaos.output import TOO_MUCH_OUTPUT, Output
from chaos.recorder import Recorder

Signal = Literal["TERM", "INT", "STOP", "CONT", "KILL"]


class Service(ABC):
    """What can be done to a service from outside; its output, signals and end are recorded as `instance`'s.

    `exited` is its end, once there is one. As an async context manager it is ended, with all that it has started, on
    leaving.
    """

    def __init__(self, recorder: Recorder, instance: str, *, endless: bool = False) -> None:
        self.exited: asyncio.Future[Exited] = asyncio.get_running_loop().create_future()
        self._recorder = recorder
        self._instance = instance
        self._cause: str | None = None
        self._output = Output(recorder, instance, self._stop_flood, endless=endless)

    @property
    def running(self) -> bool:
        return not self.exited.done()

    @property
    def printed_too_much(self) -> bool:
        """Whether it has printed more than is recorded."""
        return self._output.is_too_much

    @abstractmethod
    def signal(self, name: Signal) -> None:
        """Send a signal to the program itself (not to what it started), if it still runs."""

    async def wait_exit(self, timeout: float) -> Exited | None:
        """Wait at most `timeout` seconds for the program's end; None where it still runs."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.exited), timeout)
        return None

    @abstractmethod
    async def count_listeners(self, port: int) -> int:
        """Return how many processes accept connections on a port; 1 where that cannot be seen."""

    @abstractmethod
    async def close(self) -> None:
        """End what is left of it, and read the rest of its output."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _record_signal(self, name: Signal) -> None:
        self._recorder.record(Signalled(instance=self._instance, signal=f"SIG{name}"))

    def _stop_flood(self) -> None:
        if self._cause is None and self.running:
            self._cause = TOO_MUCH_OUTPUT
            self.signal("KILL")
