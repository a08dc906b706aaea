"""Every error as {"error": {...}}."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from src.models.responses import Error, ErrorDetail, ErrorResponse
from src.services.errors import (
    LLMError,
    Misconfigured,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestRefused,
)

logger = logging.getLogger(__name__)

STATUSES: dict[type[LLMError], tuple[int, str]] = {
    RateLimited: (429, "provider_rate_limited"),
    ProviderTimeout: (504, "provider_timeout"),
    ProviderUnreachable: (503, "provider_unreachable"),
    RequestRefused: (400, "refused_by_provider"),
    Misconfigured: (502, "provider_misconfigured"),
}
OTHER = (502, "provider_failed")


class APIError(Exception):
    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        details: list[ErrorDetail] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.message = message
        self.details = details
        self.headers = headers


def error_body(
    type_: str,
    message: str,
    request_id: str | None = None,
    details: list[ErrorDetail] | None = None,
) -> dict[str, object]:
    error = Error(type=type_, message=message, request_id=request_id, details=details)
    return ErrorResponse(error=error).model_dump(exclude_none=True)


def respond(
    request: Request,
    status: int,
    type_: str,
    message: str,
    details: list[ErrorDetail] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    request_id = request.scope.get("request_id")
    return JSONResponse(error_body(type_, message, request_id, details), status, headers)


def status_of(error: LLMError) -> tuple[int, str]:
    return STATUSES.get(type(error), OTHER)


async def on_api_error(request: Request, error: APIError) -> JSONResponse:
    return respond(
        request, error.status, error.type, error.message, error.details, error.headers
    )


async def on_llm_error(request: Request, error: LLMError) -> JSONResponse:
    status, type_ = status_of(error)
    logger.warning("%s -> %d", type(error).__name__, status)
    return respond(request, status, type_, error.message)


async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    return respond(request, error.status_code, "http_error", str(error.detail), headers=headers)


async def on_validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
    details = [
        ErrorDetail(field=field_of(problem), message=problem["msg"])
        for problem in error.errors()
    ]
    fields = ", ".join(sorted({detail.field for detail in details}))
    return respond(request, 422, "invalid_request", f"Invalid: {fields}", details)


def field_of(problem: dict[str, Any]) -> str:
    """("body", "messages", 0, "role") is messages.0.role."""
    if problem["type"] == "json_invalid":
        return "body"
    return ".".join(str(part) for part in problem["loc"] if part != "body") or "body"


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(APIError, on_api_error)  # type: ignore[arg-type]
    app.add_exception_handler(LLMError, on_llm_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_validation_error)  # type: ignore[arg-type]
