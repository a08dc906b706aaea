import logging
import uuid

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger("api.errors")


class ServiceError(Exception):
    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadRequest(ServiceError):
    status, code = 400, "rejected_by_model"


class ModelNotFound(ServiceError):
    status, code = 404, "model_not_found"


class RateLimited(ServiceError):
    status, code = 429, "rate_limited"


class BadGateway(ServiceError):
    """The model answered nonsense, or refused us."""

    status, code = 502, "bad_gateway"


class Outage(ServiceError):
    """The model is ill: worth a retry, and counted by the breaker."""

    status, code = 502, "model_unavailable"


class CircuitOpen(ServiceError):
    status, code = 503, "circuit_open"


class DeadlineExceeded(ServiceError):
    status, code = 504, "deadline_exceeded"


def error_response(
    status: int, code: str, message: str, *, headers: dict[str, str] | None = None, exc_info: BaseException | None = None
) -> JSONResponse:
    incident = str(uuid.uuid4())
    level = logging.ERROR if status >= 500 else logging.INFO
    log.log(level, "%s: %s", code, message, extra={"incident_id": incident, "status": status}, exc_info=exc_info)
    body = {
        "error": code,
        "message": message,
        "incident_id": incident,
    }
    return JSONResponse(body, status, headers=headers)


def install(app: FastAPI) -> None:
    @app.exception_handler(ServiceError)
    async def service_error(request: Request, error: ServiceError) -> JSONResponse:
        headers = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after is not None else None
        return error_response(error.status, error.code, str(error), headers=headers)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, "http_error", str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return error_response(422, "validation_error", fields)
