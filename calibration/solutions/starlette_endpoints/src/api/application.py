from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from loguru import logger
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp
from starlette_context.middleware import RawContextMiddleware

from api.auth import Login, Me, TokenBackend
from api.body_limit import BodyLimitMiddleware
from api.cache import SemanticCache
from api.drain import DrainMiddleware
from api.generate import CacheClear, CacheStats, Generate, Models
from api.health import Alive, Metrics, Readiness, Ready
from api.model import Model
from api.problems import HANDLERS
from api.request_ids import SaneRequestIdPlugin
from api.settings import Settings
from api.traces import Tracing


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.tracing = Tracing(settings.mlflow_uri)
    async with aiohttp.ClientSession() as session:
        app.state.model = Model(settings.litellm_url, session)
        app.state.readiness = Readiness(settings, session)
        app.state.cache = SemanticCache(settings.qdrant_url, settings.tei_url, session)
        logger.info("Started ({})", settings.environment)
        yield
        logger.info("Shutting down: traces and connections")
        await app.state.tracing.flush()
        await app.state.cache.close()


def create_app(settings: Settings) -> ASGIApp:
    app = Starlette(
        routes=[
            Route("/auth/login", Login),
            Route("/auth/me", Me),
            Route("/llm/generate", Generate),
            Route("/llm/models", Models),
            Route("/v1/models", Models),
            Route("/llm/cache/stats", CacheStats),
            Route("/llm/cache/clear", CacheClear),
            Route("/health", Alive),
            Route("/health/detailed", Ready),
            Route("/metrics", Metrics),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["authorization", "content-type", "x-request-id"],
            ),
            Middleware(DrainMiddleware),
            Middleware(BodyLimitMiddleware),
            Middleware(AuthenticationMiddleware, backend=TokenBackend(settings)),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.settings = settings
    # Around everything, so that the last resort's 500 has an id too.
    return RawContextMiddleware(app, plugins=[SaneRequestIdPlugin()])
