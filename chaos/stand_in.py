"""What all stand-ins for upstreams share: an HTTP server, and a journal of the calls that reach it."""

import json
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from chaos.history import Upstream
from chaos.http_server import HttpRequest, HttpServer, Responder
from chaos.journal import Journal
from chaos.keys import find_key
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder


class StandIn(ABC):
    """A server in the place of an upstream, by default the one of its product's name. Serves in its context."""

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
        self._failing: int | None = None
        self._server = HttpServer(
            self._answer_or_fail, recorder, self.name, host=host, port=port, network=network
        )

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url

    def fail(self, status: int | None) -> None:
        """Have every request fail with a status from now on, but those that follow a script; None ends that."""
        self._failing = status

    async def _answer_or_fail(self, request: HttpRequest, responder: Responder) -> None:
        if self._failing is None or self._is_scripted(request):
            await self._serve(request, responder)
            return
        call = self._journal.call(request, key=find_key(request.body), counted=False)
        body = json.dumps({"error": {"code": self._failing, "message": "failed"}}).encode()
        await self._journal.answer(call, responder, self._failing, body)

    def _is_scripted(self, _request: HttpRequest) -> bool:
        return False

    @abstractmethod
    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        """Record one call and answer it."""
