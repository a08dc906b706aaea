"""The last resort: an exception that nothing else has handled becomes a 500 of the usual form.

Starlette's own handler for Exception runs outside of all user middleware, where the answer would have neither the
request's id nor CORS headers; so it is done here.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.services.errors import ServiceError
from api.utils.error_response import error_response


class ErrorMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = False

        async def remember_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, remember_start)
        except Exception as error:
            if started:  # too late for another answer: the server must cut the connection
                raise
            response = error_response(
                scope,
                status=500,
                slug=ServiceError.slug,
                message=ServiceError.message,
                cause=error,
            )
            await response(scope, receive, send)
