"""POST /v1/chat/completions."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..backend import Answer, Stream
from ..errors import ApiError
from ..identity import Caller
from ..routing import Choice, seconds
from .base import Endpoint, text_of

PATH = "/v1/chat/completions"
BOUNDS = {"n": 128, "max_tokens": 10**6, "max_completion_tokens": 10**6}


def check(body: dict[str, Any]) -> str:
    model = text_of(body, "model", 256)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list of messages.", code="missing_field", param="messages")
    for name, most in BOUNDS.items():
        value = body.get(name)
        if isinstance(value, int | float) and value > most:
            raise ApiError(400, f"{name} is more than {most}.", code="invalid_value", param=name)
    if not isinstance(body.get("stream_options") or {}, dict):
        raise ApiError(400, "stream_options must be an object.", code="invalid_type", param="stream_options")
    return model


class Chat(Endpoint):
    permission = "chat"
    limited = True

    async def post(self, request: web.Request) -> web.StreamResponse:
        caller = await self.admit(request)
        body = await self.body(request)
        model = check(body)
        await self.gateway.budgets.check(caller)
        choice = self.gateway.router.choose(
            caller, model, request.headers.get("X-Task"), seconds(request.headers.get("X-Latency-Budget"))
        )
        if body.get("stream"):
            return await self._stream(request, caller, body, choice)
        return await self._whole(caller, body, choice)

    def _assign(self, body: dict[str, Any], model: str, caller: Caller) -> dict[str, Any]:
        variant = self.gateway.experiments.pick(model, caller.name)
        if variant is not None:
            self.gateway.metrics.variants.labels(model, variant).inc()
        return {**body, "model": variant or model}

    async def _ask(self, call: Any, body: dict[str, Any], choice: Choice, caller: Caller) -> tuple[str, Any]:
        """The model that answered, and its answer."""
        first = self._assign(body, choice.model, caller)
        try:
            return first["model"], await call(PATH, first)
        except ApiError as error:
            if error.status != 429 or choice.fallback is None:
                raise
        second = self._assign(body, choice.fallback, caller)
        return second["model"], await call(PATH, second)

    async def _whole(self, caller: Caller, body: dict[str, Any], choice: Choice) -> web.Response:
        cache = self.gateway.cache
        lookup = cache.lookup(caller.name, {**body, "model": choice.model})
        if lookup is not None:
            kept = await cache.find(lookup)
            if kept is not None:
                return web.Response(body=kept, content_type="application/json", headers={"X-Cache": "hit"})

        async def call(path: str, asked: dict[str, Any]) -> Answer:
            return await self.gateway.backend.ask("POST", path, asked)

        model, answer = await self._ask(call, body, choice, caller)
        usage = answer.document.get("usage")
        self.gateway.accounting.book(caller, model, usage if isinstance(usage, dict) else {}, answer.headers)
        headers = {}
        if lookup is not None:
            await cache.keep(lookup, answer.body)
            headers["X-Cache"] = "miss"
        return web.Response(body=answer.body, content_type="application/json", headers=headers)

    async def _stream(
        self, request: web.Request, caller: Caller, body: dict[str, Any], choice: Choice
    ) -> web.StreamResponse:
        options = body.get("stream_options") or {}
        wanted = bool(options.get("include_usage"))
        asked = {**body, "stream_options": {**options, "include_usage": True}}
        model, stream = await self._ask(self.gateway.backend.stream, asked, choice, caller)
        try:
            return await self._forward(request, caller, model, stream, wanted)
        finally:
            if not request.get("drained"):
                stream.close()

    async def _forward(
        self, request: web.Request, caller: Caller, model: str, stream: Stream, wanted: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                "X-Request-ID": request["id"],
                **request.get("headers", {}),
            }
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        meter = Meter(self.gateway.accounting.book, caller, model, stream.headers)
        try:
            async for text, chunk in stream.chunks():
                meter.see(chunk)
                shown = text if wanted else without_usage(text, chunk)
                if shown is not None:
                    await response.write(frame(shown))
        except ApiError as error:
            meter.end()
            request["failed"] = error.status
            await response.write(error.event())
            await response.write_eof()
            return response
        meter.end()
        await response.write(frame("[DONE]"))
        await response.write_eof()
        await stream.drain()
        request["drained"] = True
        return response


def frame(text: str) -> bytes:
    return b"".join(b"data: " + line.encode() + b"\n" for line in text.split("\n")) + b"\n"


def without_usage(text: str, chunk: dict[str, Any]) -> str | None:
    """The chunk for a caller who has not asked for the usage; nothing if there is nothing else in it."""
    if not chunk.get("choices"):
        return None
    if "usage" not in chunk:
        return text
    return json.dumps({name: value for name, value in chunk.items() if name != "usage"})


class Meter:
    """Books the usage of a stream once, with the last numbers that the backend has reported."""

    def __init__(self, book: Any, caller: Caller, model: str, headers: Mapping[str, str]) -> None:
        self._book = book
        self._about = caller, model
        self._headers = headers
        self._usage: dict[str, Any] | None = None
        self._booked = False

    def see(self, chunk: dict[str, Any]) -> None:
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
            if not chunk.get("choices"):
                self.end()  # the last chunk: whoever leaves after it is counted

    def end(self) -> None:
        if not self._booked:
            self._booked = True
            self._book(*self._about, self._usage or {}, self._headers)
