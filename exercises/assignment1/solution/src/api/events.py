"""Server-sent events for streamed answers."""

import json
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from src.api.errors import stream_error
from src.services.errors import ServiceError
from src.services.llm import Receipt

Pieces = AsyncGenerator[str | Receipt, None]
DONE = "data: [DONE]\n\n"


class EventStreamResponse(StreamingResponse):
    """Sends the pieces of an answer as they come, and closes them however the response ends."""

    media_type = "text/event-stream"

    def __init__(self, pieces: Pieces) -> None:
        self._events = _events(pieces)
        super().__init__(self._events, headers={"Cache-Control": "no-cache"})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
            await self._pieces.aclose()


async def _events(pieces: AsyncIterator[str | Receipt]) -> AsyncGenerator[str, None]:
    """Yield an event for each piece. An answer that breaks off ends with an error instead of `[DONE]`."""
    try:
        async for piece in pieces:
            yield _event({"content": piece} if isinstance(piece, str) else _summary(piece))
    except ServiceError as error:
        yield f"data: {stream_error(error)}\n\n"
        return
    yield DONE


def _event(data: object) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _summary(receipt: Receipt) -> dict[str, object]:
    return {"model": receipt.model, "usage": receipt.usage.model_dump(), "cost_usd": receipt.cost_usd}
