"""Once the service is draining, requests that begin get 503."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_response


class Drain:
    def __init__(self) -> None:
        self.active = False

    def begin(self) -> None:
        self.active = True


drain = Drain()


class DrainMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and drain.active:
            response = problem_response(scope, 503, "The service is shutting down", {"Connection": "close"})
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)
