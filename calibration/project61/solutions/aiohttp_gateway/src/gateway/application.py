"""The parts of the gateway, put together."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from .accounting import Accounting
from .backend import Backend
from .budgets import Budgets
from .catalogue import Catalogue
from .database import Database
from .endpoints.account import Keys, Login, Usage
from .endpoints.chat import Chat
from .endpoints.models import Embeddings, Models
from .endpoints.operations import Health
from .identity import Directory, Tokens
from .keys import ApiKeys
from .ledger import Ledger, UsageReport
from .limits import RateLimiter, SharedStore
from .metrics import Metrics
from .middleware import Around
from .routing import Experiments, Router
from .semantic import SemanticCache
from .settings import Settings


class Gateway:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.draining = False
        self.metrics = Metrics()
        self.directory = Directory(settings.users)
        self.tokens = Tokens(settings.jwt_secret, settings.token_seconds)
        self.database = Database(settings.database_url)
        self.keys = ApiKeys(self.database)
        self.ledger = Ledger(settings.spool, self.database, self.metrics)
        self.report = UsageReport(self.database, self.ledger)
        self.store = SharedStore(settings.redis_url, self.metrics)
        self.limiter = RateLimiter(self.store, settings.rates, self.metrics)
        self.backend = Backend(settings, self.metrics)
        self.catalogue = Catalogue(self.backend, self._configured())
        self.accounting = Accounting(self.ledger, self.metrics, self.catalogue)
        self.router = Router(settings.routes)
        self.experiments = Experiments(settings.variants)
        self.cache = SemanticCache(settings.cache, self.store, self.backend, self.metrics)
        self.budgets = Budgets(settings.budgets, self.report, self.metrics)

    def _configured(self) -> set[str]:
        """The models that the settings name."""
        names = {name for rule in self.settings.routes for name in (rule.model, rule.fallback) if name}
        for model, variants in self.settings.variants.items():
            names |= {model, *variants}
        return names

    def application(self) -> web.Application:
        app = web.Application(
            middlewares=[Around(self.metrics).middleware], client_max_size=self.settings.max_body
        )
        health, keys = Health(self), Keys(self)
        app.add_routes(
            [
                web.post("/v1/chat/completions", Chat(self).post),
                web.post("/v1/embeddings", Embeddings(self).post),
                web.get("/v1/models", Models(self).get),
                web.get("/v1/api-keys", keys.get),
                web.post("/v1/api-keys", keys.post),
                web.delete("/v1/api-keys/{id}", keys.delete),
                web.get("/v1/usage", Usage(self).get),
                web.post("/auth/login", Login(self).post),
                web.get("/health", health.alive),
                web.get("/health/detailed", health.ready),
                web.get("/metrics", health.metrics),
                web.get("/openapi.json", health.openapi),
            ]
        )
        app.cleanup_ctx.append(self._life)
        return app

    async def _life(self, app: web.Application) -> AsyncIterator[None]:
        await self.backend.open()
        self.ledger.adopt()
        work = (self.database.prepare(), self.ledger.run(), self.store.run(), self.catalogue.run())
        tasks = [asyncio.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.ledger.close()
        await self.backend.close()
        await self.store.close()
        await self.database.close()
