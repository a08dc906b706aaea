import logging

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from src.api.chat import chat_completions
from src.api.errors import handlers
from src.api.health import health
from src.api.request_id import RequestIDMiddleware
from src.config.settings import settings
from src.services.limits import DailySpend, RequestLimit
from src.services.llm import LLMService, OpenAIProvider

logging.basicConfig(level=logging.WARNING)
logging.getLogger("llm").setLevel(logging.DEBUG if settings.debug else logging.WARNING)

# Starlette's debug stays off: its pages show local variables, whatever DEBUG says.
app = Starlette(
    routes=[
        Route("/api/v1/chat/completions", chat_completions, methods=["POST"]),
        Route("/health", health),
    ],
    middleware=[Middleware(RequestIDMiddleware)],
    exception_handlers=handlers,
)
app.state.request_limit = RequestLimit(settings.rate_limit_requests, settings.rate_limit_window)
app.state.spend = DailySpend(settings.daily_cost_limit)
app.state.llm = LLMService(OpenAIProvider(settings.openai_api_key), app.state.spend)
