"""A running instance of a service, whatever it runs in."""

import asyncio
from types import TracebackType
from typing import Literal, Protocol, Self

from chaos.history import Exited

Signal = Literal["TERM", "INT", "STOP", "CONT", "KILL"]


class Service(Protocol):
    """What can be done to a service from outside; its output, signals and end are recorded.

    As an async context manager it is ended, with all that it has started, on leaving.
    """

    @property
    def exited(self) -> asyncio.Future[Exited]:
        """Its end, once there is one."""

    @property
    def running(self) -> bool: ...

    def signal(self, name: Signal) -> None:
        """Send a signal to the program itself (not to what it started), if it still runs."""

    async def wait_exit(self, timeout: float) -> Exited | None:
        """Wait at most `timeout` seconds for the program's end; None where it still runs."""

    async def count_listeners(self, port: int) -> int:
        """Return how many processes accept connections on a port; 1 where that cannot be seen."""

    async def close(self) -> None:
        """End what is left of it, and read the rest of its output."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
