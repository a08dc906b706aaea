"""How failures are answered: the one place that knows the HTTP status of each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from src.middleware.request_id import current_request_id
from src.models.responses import ErrorDetail, ErrorResponse, FieldError
from src.services.errors import (
    AccessRefusedError,
    BudgetSpentError,
    CallerLeftError,
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    RateLimitedError,
    RequestLimitError,
    RequestRefusedError,
    ServiceError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an error, its name for programs, and its message for people."""

    status: int
    type: str
    message: str


ANSWERS: dict[type[ServiceError], Answer] = {
    RequestLimitError: Answer(429, "request_limit", "This address has sent too many requests."),
    BudgetSpentError: Answer(
        402, "budget_spent", "The money for today is spent. The limit is lifted at midnight UTC."
    ),
    CallerLeftError: Answer(499, "caller_left", "The caller closed the connection."),
    RateLimitedError: Answer(429, "provider_rate_limit", "The model is rate limited by its provider."),
    ProviderFailedError: Answer(502, "provider_failed", "The provider of the model failed."),
    ProviderUnreachableError: Answer(
        503, "provider_unreachable", "The provider of the model cannot be reached."
    ),
    ProviderTimeoutError: Answer(504, "provider_timeout", "The model did not answer in time."),
    RequestRefusedError: Answer(400, "request_refused", "The provider of the model refused this request."),
    AccessRefusedError: Answer(502, "provider_access", "The provider of the model refused this service."),
}

_TYPES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


def install(app: FastAPI) -> None:
    """Have an application answer all errors in the same form."""

    @app.exception_handler(ServiceError)
    async def service_error(_request: Request, error: ServiceError) -> JSONResponse:
        return service_error_response(error)

    @app.exception_handler(RequestValidationError)
    async def validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        return invalid_response([_field_error(dict(problem)) for problem in error.errors()])

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return _response(
            error.status_code,
            _TYPES.get(error.status_code, "error"),
            str(error.detail),
            headers=error.headers,
        )


def service_error_response(error: ServiceError) -> JSONResponse:
    """Answer a failure of the service, with Retry-After in whole seconds if the pause is known."""
    answer = ANSWERS[type(error)]
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return _response(answer.status, answer.type, answer.message, headers=headers)


def stream_error(error: ServiceError) -> str:
    """Return the JSON document that tells of a failure in the middle of a stream."""
    answer = ANSWERS[type(error)]
    return _document(answer.type, answer.message).model_dump_json(exclude_defaults=True)


def invalid_response(fields: list[FieldError]) -> JSONResponse:
    """Answer a request whose content is not valid."""
    message = "; ".join(f"{one.field}: {one.message}" for one in fields[:5])
    return _response(422, "invalid_request", message, fields=fields)


def too_large_response() -> JSONResponse:
    return _response(
        413, "body_too_large", "The body is larger than 16 MiB.", headers={"Connection": "close"}
    )


def internal_error_response() -> JSONResponse:
    return _response(500, "internal_error", "The service failed.")


def _field_error(problem: Mapping[str, object]) -> FieldError:
    """Return what is wrong with a field, without its value."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    location = problem["loc"]
    if not isinstance(location, tuple) or problem["type"] == "json_invalid":
        return FieldError(field="body", message=message)
    return FieldError(field=".".join(map(str, location[1:])) or "body", message=message)


def _response(
    status: int,
    kind: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    fields: list[FieldError] | None = None,
) -> JSONResponse:
    document = _document(kind, message, fields)
    return JSONResponse(document.model_dump(exclude_defaults=True), status_code=status, headers=headers)


def _document(kind: str, message: str, fields: list[FieldError] | None = None) -> ErrorResponse:
    return ErrorResponse(
        error=ErrorDetail(type=kind, message=message, request_id=current_request_id(), fields=fields or [])
    )
