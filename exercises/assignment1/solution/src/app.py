"""The application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from src.api import chat, errors, health
from src.config.logging_config import configure_logging
from src.config.settings import Settings
from src.middleware.access_log import AccessLogMiddleware
from src.middleware.body_limit import BodyLimitMiddleware
from src.middleware.errors import ErrorMiddleware
from src.middleware.request_id import RequestIdMiddleware
from src.services.container import make_services
from src.services.providers import Providers

_MOST_BODY_BYTES = 16 * 1024 * 1024


def create_app(settings: Settings, providers: Providers | None = None) -> FastAPI:
    """Return the application; tests bring their own providers."""
    configure_logging(debug=settings.debug, secrets=settings.secrets)
    services = make_services(settings, providers)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for provider in services.providers.all():
            await provider.close()

    app = FastAPI(
        title=settings.app_name,
        lifespan=lifespan,
        redirect_slashes=False,
        # From the outside in.
        middleware=[
            Middleware(RequestIdMiddleware),
            Middleware(AccessLogMiddleware),
            Middleware(ErrorMiddleware, respond=errors.internal_error_response),
            Middleware(BodyLimitMiddleware, limit=_MOST_BODY_BYTES, refuse=errors.too_large_response),
        ],
    )
    app.state.services = services
    errors.install(app)
    app.include_router(chat.router)
    app.include_router(health.router)
    return app
