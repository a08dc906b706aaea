"""Everything that the gateway talks to, on one port of this machine: a model, Qdrant and MLflow."""

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import web

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


class Backend:
    """Answers in order with the statuses in `failures` first; `asked` holds the bodies of all questions."""

    def __init__(self) -> None:
        self.failures: deque[int] = deque()
        self.breaks = False
        self.asked: list[dict[str, Any]] = []
        self.traces = 0
        self.points: dict[str, Any] = {}

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_post("/v1/embeddings", self.embeddings)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/traces", self.trace)
        app.router.add_route("*", "/collections/{name}{rest:.*}", self.qdrant)
        for path in ("/health", "/health/liveliness", "/readyz"):
            app.router.add_get(path, self.well)
        return app

    async def well(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.failures:
            status = self.failures.popleft()
            return web.json_response({"error": {"message": "no", "code": "failed"}}, status=status)
        text = f"You said: {body['messages'][-1]['content']}"
        if body.get("stream"):
            return await self.stream(request, text)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(
            {"id": "chat-1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": USAGE}
        )

    async def stream(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in text.split():
            delta = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
            await self.send(response, {"id": "chat-1", "model": "m", "choices": [delta]})
            if self.breaks:
                assert request.transport is not None
                request.transport.abort()
                await asyncio.sleep(0.05)
                return response
        await self.send(response, {"id": "chat-1", "model": "m", "choices": [], "usage": USAGE})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def send(self, response: web.StreamResponse, chunk: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"index": at, "embedding": [1.0, float(len(text))]} for at, text in enumerate(texts)]
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": USAGE})

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "small", "owned_by": "us"}, {"id": "large", "owned_by": "us"}]})

    async def trace(self, request: web.Request) -> web.Response:
        await request.read()
        self.traces += 1
        return web.Response()

    async def qdrant(self, request: web.Request) -> web.Response:
        rest = request.match_info["rest"]
        body = await request.json() if request.can_read_body else {}
        if rest == "/exists":
            return web.json_response({"result": {"exists": bool(self.points)}})
        if rest == "/points/count":
            return web.json_response({"result": {"count": len(self.points)}})
        if rest == "/points/query":
            points = [{"payload": one["payload"]} for one in self.points.values() if "scope" in one["payload"]]
            return web.json_response({"result": {"points": points[:1]}})
        if rest == "/points" and request.method == "POST":
            found = [self.points[key] for key in body["ids"] if key in self.points]
            return web.json_response({"result": found})
        if rest == "/points":
            self.points |= {point["id"]: point for point in body["points"]}
        return web.json_response({"result": True})
