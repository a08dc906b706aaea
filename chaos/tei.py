"""A stand-in for text-embeddings-inference: `/health`, `/info` and `/embed`."""

import json
from types import TracebackType
from typing import Any, Self

from chaos.history import Upstream
from chaos.http_server import HttpRequest, HttpServer, Responder
from chaos.journal import Journal
from chaos.keys import find_key
from chaos.network import LOOPBACK, Network
from chaos.recorder import Recorder
from chaos.vectors import vector

DIMENSIONS = 384
_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_INFO = {"model_id": _MODEL, "model_type": {"embedding": {"pooling": "mean"}}, "version": "1.8.0"}


class TeiStandIn:
    """Embeds texts while its context is entered. Embeddings are recorded as counted calls, all else as not counted."""

    name: Upstream = "tei"

    def __init__(
        self, recorder: Recorder, *, host: str = "127.0.0.1", port: int = 0, network: Network = LOOPBACK
    ) -> None:
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

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        embeds = request.method == "POST" and request.path == "/embed"
        call = self._journal.call(request, key=find_key(request.body), counted=embeds)
        status, content = _embed(request) if embeds else _page(request)
        body = b"" if content is None else json.dumps(content).encode()
        await self._journal.answer(call, responder, status, body)


def _page(request: HttpRequest) -> tuple[int, Any]:
    pages = {"/health": None, "/info": _INFO}
    return (200, pages[request.path]) if request.path in pages else (404, {"error": "not found"})


def _embed(request: HttpRequest) -> tuple[int, Any]:
    try:
        given = request.json()["inputs"]
    except (ValueError, KeyError, TypeError):
        return 422, {"error": "the body has no `inputs`", "error_type": "Validation"}
    texts = given if isinstance(given, list) else [given]
    return 200, [vector(str(text), DIMENSIONS) for text in texts]
