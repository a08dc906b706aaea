"""A stand-in for text-embeddings-inference: `/health`, `/info` and `/embed`."""

import json
from typing import Any

from chaos.http_server import HttpRequest, Responder
from chaos.keys import find_key
from chaos.stand_in import StandIn
from chaos.vectors import vector

DIMENSIONS = 384
_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_INFO = {"model_id": _MODEL, "model_type": {"embedding": {"pooling": "mean"}}, "version": "1.8.0"}


class TeiStandIn(StandIn):
    """Embeds texts. Embeddings are recorded as counted calls, all else as not counted."""

    product = "tei"

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
