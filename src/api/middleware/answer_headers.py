"""Headers that become known while a request is served, for whatever answer it gets: an error's as well.

Headers of FastAPI's own `Response` parameter are lost where an exception makes the answer.
"""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY = "api.answer_headers"


def add_answer_headers(request: Request, headers: Mapping[str, str]) -> None:
    """Have the request's answer carry headers, which hide any of the same names."""
    request.scope[_KEY].update(headers)


class AnswerHeadersMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        added: dict[str, str] = {}
        scope[_KEY] = added

        async def send_with_headers(message: Message) -> None:
            if added and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(added)
            await send(message)

        await self.app(scope, receive, send_with_headers)
