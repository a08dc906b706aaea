"""What all stand-ins for upstreams share: an HTTP server, and a journal of the calls that reach it."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from chaos.history import Cleared, Upstream
from chaos.http_server import HttpRequest, HttpServer, Responder
from chaos.journal import Journal
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder

GARBAGE = b"\x15\x03\x01\x00\x02\x02\x50 no HTTP is spoken here\r\n\r\n"

TOO_LARGE = "a body that is too large"
"""The step of a call whose body is larger than a stand-in takes: it gets 413."""

DRIP_SECONDS = 0.5
WORK_SECONDS = 1.0
"""Of processor time in one experiment, from which on the record has it. A service that asks a few things takes less."""

Breakage = int | Literal["close", "drip", "garbage"]
"""What a broken stand-in does with every request: answers this status, hangs up, or sends what is no HTTP.

One that drips serves every request, with an answer whose body comes byte by byte and has no end.
"""


class StandIn(ABC):
    """A server in the place of an upstream, by default the one of its product's name. Serves in its context.

    Much processor time that its answers take is recorded at the end: what it does is what the service asks for.
    """

    product: ClassVar[Upstream]

    def __init__(
        self,
        recorder: Recorder,
        *,
        name: Upstream = "",
        host: str = "127.0.0.1",
        port: int = 0,
        network: Network = LOOPBACK,
    ) -> None:
        self.name = name or self.product
        self._journal = Journal(recorder, self.name)
        self._recorder = recorder
        self._breakage: Breakage | None = None
        self._worked = 0.0
        self._server = HttpServer(
            self._handle,
            recorder,
            self.name,
            host=host,
            port=port,
            network=network,
            too_large=self._refuse,
        )

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)
        if self._worked >= WORK_SECONDS:
            # One processor, because the lab has no more than one thread.
            used = Cleared(instance=self.name, processor=round(self._worked, 2), processors=1)
            self._recorder.record(used)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url

    def break_down(self, breakage: Breakage | None) -> None:
        """Have every request meet a breakage from now on; None ends that."""
        self._breakage = breakage

    async def _handle(self, request: HttpRequest, responder: Responder) -> None:
        if self._breakage is None:
            await self._serve(request, responder)
            return
        if self._breakage == "drip":
            await self._serve(request, responder.dripping(DRIP_SECONDS))
            return
        call = self._journal.call(request, step=f"broken: {self._breakage}", counted=False)
        if isinstance(self._breakage, int):
            await self._journal.answer(call, responder, self._breakage, b'{"error": "out of order"}')
            return
        with self._journal.losing(call):
            if self._breakage == "garbage":
                await responder.write_raw(GARBAGE)
        responder.close()
        self._journal.reply(call, "broken")

    def _refuse(self, request: HttpRequest) -> None:
        call = self._journal.call(request, step=TOO_LARGE, counted=False)
        self._journal.reply(call, "answered", 413)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Count the processor time of a block, which must not wait for anything."""
        began = time.thread_time()
        try:
            yield
        finally:
            self._worked += time.thread_time() - began

    @abstractmethod
    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        """Record one call and answer it."""
