"""The application."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar
from litestar.datastructures import State

from src import logging_setup
from src.api import errors
from src.api.access_log import AccessLog
from src.api.chat import chat
from src.api.health import health
from src.api.request_id import add_request_id
from src.config.settings import Settings, settings
from src.services.limits import Purse, WindowLimiter
from src.services.llm import Gateway
from src.services.monitor import Monitor
from src.services.providers import Anthropic, OpenAI

MAX_BODY = 16 * 1024 * 1024


@asynccontextmanager
async def monitored(app: Litestar) -> AsyncGenerator[None]:
    monitor: Monitor = app.state.monitor
    await monitor.look()
    task = asyncio.create_task(monitor.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def create_app(config: Settings) -> Litestar:
    openai = OpenAI(config.openai_api_key.strip(), config.openai_base_url)
    anthropic = None
    if config.anthropic_api_key.strip():
        anthropic = Anthropic(config.anthropic_api_key.strip(), config.anthropic_base_url)
    purse = Purse(config.daily_cost_limit)
    state = State(
        {
            "purse": purse,
            "limiter": WindowLimiter(config.rate_limit_requests, config.rate_limit_window),
            "gateway": Gateway(openai, anthropic, purse),
            "monitor": Monitor(openai),
        }
    )
    return Litestar(
        route_handlers=[chat, health],
        middleware=[AccessLog()],
        exception_handlers=errors.handlers,
        before_send=[add_request_id],
        lifespan=[monitored],
        state=state,
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=False,
    )


logging_setup.configure(settings.debug, [settings.openai_api_key, settings.anthropic_api_key])
app = create_app(settings)
