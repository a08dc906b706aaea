"""The application: `uvicorn src.main:app`, written with Flask."""

import logging
from dataclasses import dataclass

import httpx
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from src.api import chat, health
from src.api.chat import json_response
from src.config.settings import Settings, get_settings
from src.core.errors import ApiError
from src.core.limits import Budget, CallerLimit
from src.core.request_id import RequestId
from src.models.responses import ErrorDetail, ErrorResponse
from src.services.llm import LLMService
from src.services.providers import Anthropic, OpenAI


@dataclass
class Gateway:
    """What handlers need."""

    settings: Settings
    client: httpx.Client
    llm: LLMService
    callers: CallerLimit
    budget: Budget


def build_gateway(settings: Settings) -> Gateway:
    client = httpx.Client(timeout=httpx.Timeout(18.0, connect=5.0), trust_env=False, limits=httpx.Limits(max_connections=None))
    openai = OpenAI(client, settings.openai_base_url, settings.openai_api_key)
    anthropic = None
    if settings.has_anthropic:
        anthropic = Anthropic(client, settings.anthropic_base_url, settings.anthropic_api_key)
    return Gateway(
        settings=settings,
        client=client,
        llm=LLMService(openai, anthropic, settings.default_model, settings.max_tokens_per_request),
        callers=CallerLimit(settings.rate_limit_requests, settings.rate_limit_window),
        budget=Budget(settings.daily_cost_limit),
    )


def error_response(status: int, code: str, message: str, where=None, headers=None) -> Response:
    return json_response(ErrorResponse(ErrorDetail(code, message, where)), status, headers)


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or get_settings()
    logging.basicConfig(level=logging.DEBUG if settings.debug else logging.INFO)
    for noisy in ("httpx", "httpcore", "stamina"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    app = Flask(settings.app_name)
    app.config["MAX_CONTENT_LENGTH"] = chat.LARGEST_BODY + 1  # a body in chunks is cut there without an error
    app.register_blueprint(chat.blueprint)
    app.register_blueprint(health.blueprint)
    app.wsgi_app = RequestId(app.wsgi_app)

    @app.errorhandler(ApiError)
    def on_api_error(error: ApiError) -> Response:
        return error_response(error.status, error.code, error.message, error.where, error.headers)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        response = error_response(error.code or 500, "http_error", error.name)
        if error.code == 405:
            response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
        return response

    @app.errorhandler(Exception)
    def on_exception(error: Exception) -> Response:
        app.logger.error("unexpected %s", type(error).__name__)
        return error_response(500, "internal_error", "Something went wrong.")

    app.extensions["gateway"] = build_gateway(settings)
    return app


app = create_app()
