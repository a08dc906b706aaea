"""POST /v1/embeddings and GET /v1/models."""

from aiohttp import web

from ..errors import ApiError
from .base import Endpoint, text_of


class Embeddings(Endpoint):
    permission = "embeddings"
    limited = True

    async def post(self, request: web.Request) -> web.Response:
        caller = await self.admit(request)
        body = await self.body(request)
        model = text_of(body, "model", 256)
        if not isinstance(body.get("input"), str | list) or not body["input"]:
            raise ApiError(400, "input must be a text or a list.", code="missing_field", param="input")
        await self.gateway.budgets.check(caller)
        answer = await self.gateway.backend.ask("POST", "/v1/embeddings", body)
        usage = answer.document.get("usage")
        self.gateway.accounting.book(caller, model, usage if isinstance(usage, dict) else {}, answer.headers)
        return web.Response(body=answer.body, content_type="application/json")


class Models(Endpoint):
    permission = "models"
    limited = True

    async def get(self, request: web.Request) -> web.Response:
        await self.admit(request)
        answer = await self.gateway.catalogue.list()
        return web.Response(body=answer.body, content_type="application/json")
