"""Serves one engine and records who asked for what."""

import asyncio
import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Self, cast

from chaos.http_server import HttpRequest, Responder
from chaos.keys import find_key
from chaos.stand_in import StandIn

if TYPE_CHECKING:
    from chaos.qdrant.collections import Engine

_HEALTH = {"/healthz", "/livez", "/readyz"}
# The client warns of a server whose version is far from its own.
_VERSION = metadata.version("qdrant-client")
_TITLE = f'{{"title":"qdrant - vector search engine","version":"{_VERSION}"}}'.encode()
_METRICS = f'# TYPE app_info gauge\napp_info{{name="qdrant",version="{_VERSION}"}} 1\n'.encode()
_JSON = "application/json"
_TEXT = "text/plain"


class QdrantStandIn(StandIn):
    """A vector store in memory, empty at the start, which qdrant-client takes for a server.

    Everything about collections is recorded as a counted call, health probes as calls that are not counted.
    """

    product = "qdrant"
    _engine: "Engine"

    @staticmethod
    async def preload() -> None:
        """Import the engine, which takes about a second of processor time, in a thread.

        Entering the context does it too; done early, it does not fall into an experiment.
        """
        await asyncio.to_thread(importlib.import_module, "chaos.qdrant.collections")

    async def __aenter__(self) -> Self:
        await self.preload()
        self._engine = cast("Engine", importlib.import_module("chaos.qdrant.collections").Engine())
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._engine.close()

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        counted = request.path.startswith("/collections")
        call = self._journal.call(request, key=find_key(request.body), counted=counted)
        if request.path in _HEALTH:
            status, body, kind = 200, f"{request.path[1:]} check passed".encode(), _TEXT
        elif request.path == "/metrics":
            status, body, kind = 200, _METRICS, _TEXT
        elif request.path == "/":
            status, body, kind = 200, _TITLE, _JSON
        else:
            with self._working():
                (status, body), kind = self._engine.answer(request.method, request.path, request.body), _JSON
        await self._journal.answer(call, responder, status, body, kind)
