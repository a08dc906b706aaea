"""What all stand-ins for upstreams share: an HTTP server, and a journal of the calls that reach it."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from chaos.history import Upstream
from chaos.http_server import HttpRequest, HttpServer, Responder
from chaos.journal import Journal
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
        self._server = HttpServer(self._serve, recorder, self.name, host=host, port=port, network=network)

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

    @abstractmethod
    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        """Record one call and answer it."""
