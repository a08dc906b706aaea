"""The application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from src.api import chat, health
from src.api.errors import install_error_handlers
from src.api.middleware import BodyLimitMiddleware, RequestIdMiddleware
from src.config.settings import Settings, settings
from src.services.budget import DailyBudget
from src.services.health import HealthCheck
from src.services.llm import LLMService
from src.services.providers.anthropic import AnthropicProvider
from src.services.providers.base import Provider
from src.services.providers.openai import OpenAIProvider
from src.services.ratelimit import TokenBucketLimiter


def configure_logging(debug: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Our own loggers only: those of the HTTP client would tell headers.
    logging.getLogger("src").setLevel(logging.DEBUG if debug else logging.INFO)


def build_providers(config: Settings) -> dict[str, Provider]:
    providers: dict[str, Provider] = {
        "openai": OpenAIProvider(config.openai_api_key.get_secret_value(), config.openai_url)
    }
    if config.anthropic_api_key is not None:
        key = config.anthropic_api_key.get_secret_value()
        providers["anthropic"] = AnthropicProvider(key, config.anthropic_url)
    return providers


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.llm.close()


def create_app(config: Settings, providers: dict[str, Provider]) -> FastAPI:
    app = FastAPI(title=config.app_name, version="1.0.0", lifespan=lifespan)
    app.state.budget = DailyBudget(config.daily_cost_limit)
    app.state.limiter = TokenBucketLimiter(config.rate_limit_requests, config.rate_limit_window)
    app.state.llm = LLMService(providers, app.state.budget)
    app.state.health = HealthCheck(providers)
    install_error_handlers(app)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RequestIdMiddleware)
    app.include_router(chat.router)
    app.include_router(health.router)
    return app


configure_logging(settings.debug)
app = create_app(settings, build_providers(settings))
