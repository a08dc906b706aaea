"""The application, put together."""

import openai
from fastapi import FastAPI
from starlette.middleware import Middleware

from src.api import chat, errors, health, selection
from src.api.dependencies import Services
from src.config.logging_config import configure_logging
from src.config.settings import Settings
from src.middleware.request_id import RequestIdMiddleware
from src.middleware.request_log import RequestLogMiddleware
from src.services.limits import SlidingWindow
from src.services.llm import LLMService


def create_app(settings: Settings, client: openai.AsyncOpenAI | None = None) -> FastAPI:
    """Return the application; tests bring their own client."""
    configure_logging()
    app = FastAPI(
        title="Week 1",
        # From the outside in: every log line and every response has the request's id.
        middleware=[Middleware(RequestIdMiddleware), Middleware(RequestLogMiddleware)],
    )
    app.state.services = Services(
        llm=LLMService(client or make_client(settings), settings.default_model),
        limiter=SlidingWindow(settings.rate_limit_requests, settings.rate_limit_window),
    )
    errors.install(app)
    for module in (chat, health, selection):
        app.include_router(module.router)
    return app


def make_client(settings: Settings) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        max_retries=0,
    )
