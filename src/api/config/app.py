"""The application, put together."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from api.config.lifespan import make_lifespan
from api.config.settings import Settings
from api.middleware.access_log import AccessLogMiddleware
from api.middleware.answer_headers import AnswerHeadersMiddleware
from api.middleware.errors import ErrorMiddleware
from api.middleware.request_id import HEADER as REQUEST_ID_HEADER
from api.middleware.request_id import RequestIdMiddleware
from api.middleware.request_limits import RequestLimitsMiddleware
from api.middleware.shutdown import ShutdownMiddleware
from api.routers import api_keys, auth, llm, openai, system, usage, users
from api.routers.limits import HEADERS as LIMIT_HEADERS
from api.services.drain import Drain
from api.services.errors import ServiceError
from api.utils.error_response import error_response, in_openai_form, service_error_response

_HTTP_SLUGS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}
_MOST_PROBLEMS_TOLD = 5


def create_app(settings: Settings) -> FastAPI:
    drain = Drain(settings.drain_timeout)
    app = FastAPI(
        title="LLM API",
        lifespan=make_lifespan(settings, drain),
        redirect_slashes=False,  # a redirect of a POST loses its body with many clients
        # From the outside in. Only what is inside of another gets its headers and its protection.
        middleware=[
            Middleware(RequestIdMiddleware),
            Middleware(AccessLogMiddleware),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID_HEADER],
                expose_headers=[REQUEST_ID_HEADER, "Retry-After", *LIMIT_HEADERS],
            ),
            Middleware(AnswerHeadersMiddleware),
            Middleware(ErrorMiddleware),
            Middleware(ShutdownMiddleware, drain=drain),
            Middleware(
                RequestLimitsMiddleware,
                max_body_bytes=settings.max_body_bytes,
                body_timeout=settings.body_timeout,
            ),
        ],
        exception_handlers={
            ServiceError: _on_service_error,
            RequestValidationError: _on_validation_error,
            HTTPException: _on_http_exception,
        },
    )
    app.include_router(auth.router)
    app.include_router(api_keys.router)
    app.include_router(llm.router)
    app.include_router(usage.router)
    app.include_router(users.router)
    app.include_router(openai.router)
    app.include_router(system.router)
    return app


async def _on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return service_error_response(error, request.scope)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    """Says what is wrong and where, without the input: FastAPI's own answer echoes passwords."""
    assert isinstance(error, RequestValidationError)
    places = [".".join(map(str, problem["loc"])) for problem in error.errors()]
    problems = [f"{place}: {problem['msg']}" for place, problem in zip(places, error.errors(), strict=True)]
    return error_response(
        request.scope,
        status=400 if in_openai_form(request.scope) else 422,
        slug="invalid_request",
        message="; ".join(problems[:_MOST_PROBLEMS_TOLD]),
        param=places[0].removeprefix("body."),
        problems=problems,
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        request.scope,
        status=error.status_code,
        slug=_HTTP_SLUGS.get(error.status_code, "http_error"),
        message=str(error.detail),
        headers=error.headers,
    )
