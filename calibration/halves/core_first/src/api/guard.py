import asyncio
import re
import time
from collections import deque
from uuid import uuid4

import structlog

from api.errors import APIError, error_response

log = structlog.get_logger("api.access")
SANE = re.compile(r"[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
BODY_SECONDS = 8


class RateLimiter:
    """A sliding window of a minute for each address."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.windows: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        now = time.monotonic()
        window = self.windows.setdefault(address, deque())
        while window and window[0] <= now - 60:
            window.popleft()
        if len(window) >= self.limit:
            raise APIError(429, "too_many_requests", "Please slow down.", retry_after=window[0] + 60 - now)
        window.append(now)
        if len(self.windows) > 10_000:
            self.windows = {address: w for address, w in self.windows.items() if w and w[-1] > now - 60}


class Guard:
    def __init__(self, app, *, limiter: RateLimiter, max_body: int) -> None:
        self.app, self.limiter, self.max_body = app, limiter, max_body

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        request_id = given if SANE.fullmatch(given) else str(uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, began = 0, time.perf_counter()

        async def respond(message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"X-Request-ID", request_id.encode())]
            await send(message)

        try:
            self.limiter.check(scope["client"][0])
            if "x-forwarded-for" in headers or "forwarded" in headers:
                raise APIError(400, "forwarded", "Requests that claim to be forwarded are not taken.")
            body = await self.read(headers, receive)
            await self.app(scope, self.replay(body, receive), respond)
        except APIError as error:
            response = error_response(error)
            response.headers["Connection"] = "close"
            await response(scope, receive, respond)
        except Exception:
            log.exception("unexpected")
            if not status:
                await error_response(APIError(500, "internal", "That was unexpected."))(scope, receive, respond)
        finally:
            write = log.error if status >= 500 or not status else log.info
            write("request", method=scope["method"], path=scope["path"], status=status,
                  seconds=round(time.perf_counter() - began, 4))

    async def read(self, headers, receive) -> bytes:
        too_large = APIError(413, "too_large", "No more than 1 MB.")
        if int(headers.get("content-length", "0")) > self.max_body:
            raise too_large
        body = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self.max_body:
                        raise too_large
                    if not message.get("more_body", False):
                        return body
        except TimeoutError:
            raise APIError(408, "too_slow", "The body did not arrive.") from None

    @staticmethod
    def replay(body, receive):
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed():
            return parts.pop() if parts else await receive()

        return replayed
