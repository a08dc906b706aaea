"""A stand-in for text-embeddings-inference: `/health`, `/info` and `/embed`."""

import json
from typing import Any

from chaos.http_server import HttpRequest, Responder
from chaos.keys import find_key
from chaos.stand_in import StandIn
from chaos.vectors import MOST_CHARACTERS, vector

DIMENSIONS = 384
MOST_TEXTS = 512
"""In one request. The real server takes 32, unless it is started with another number."""
_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_INFO = {"model_id": _MODEL, "model_type": {"embedding": {"pooling": "mean"}}, "version": "1.8.0"}


class TeiStandIn(StandIn):
    """Embeds texts. Embeddings are recorded as counted calls, all else as not counted."""

    product = "tei"

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        embeds = request.method == "POST" and request.path == "/embed"
        call = self._journal.call(request, key=find_key(request.body), counted=embeds)
        with self._working():
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
    texts = [str(text) for text in given[: MOST_TEXTS + 1]] if isinstance(given, list) else [str(given)]
    if len(texts) > MOST_TEXTS:
        message = f"batch size {len(given)} > maximum allowed batch size {MOST_TEXTS}"
        return 413, {"error": message, "error_type": "Validation"}
    if sum(map(len, texts)) > MOST_CHARACTERS:
        message = f"`inputs` must have no more than {MOST_CHARACTERS} characters"
        return 413, {"error": message, "error_type": "Validation"}
    return 200, [vector(text, DIMENSIONS) for text in texts]
