"""Health, metrics and the description of the API. Nobody has to log in for them."""

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from ..breaker import OPEN
from ..openapi import DOCUMENT
from .base import Endpoint


class Health(Endpoint):
    async def alive(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(self, request: web.Request) -> web.Response:
        """Not ready while it drains, or while no chat could be answered. Redis and PostgreSQL can be away."""
        gateway = self.gateway
        backend_up = gateway.backend.breaker.state != OPEN
        parts = {
            "backend": backend_up,
            "database": await gateway.database.alive(),
            "redis": not gateway.store.degraded,
        }
        ready = backend_up and not gateway.draining
        status = "draining" if gateway.draining else "ok" if all(parts.values()) else "degraded"
        return web.json_response(
            {"status": status, "parts": {name: "up" if up else "down" for name, up in parts.items()}},
            status=200 if ready else 503,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.gateway.metrics.registry), headers={"Content-Type": content_type})

    async def openapi(self, request: web.Request) -> web.Response:
        return web.json_response(DOCUMENT)
