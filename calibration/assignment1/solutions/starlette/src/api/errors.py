"""Errors as JSON: {"code": ..., "message": ..., "errors": [{"field", "reason"}]}."""

from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from src.models.responses import ErrorResponse, FieldError
from src.services.llm import LLMError


def error_response(
    status: int,
    code: str,
    message: str,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body = ErrorResponse(code=code, message=message, errors=errors or [])
    return JSONResponse(body.model_dump(), status, headers)


def http_error(request: Request, exc: HTTPException) -> JSONResponse:
    code = HTTPStatus(exc.status_code).name.lower()
    headers = dict(exc.headers) if exc.headers else None
    return error_response(exc.status_code, code, exc.detail, headers=headers)


def llm_error(request: Request, exc: LLMError) -> JSONResponse:
    return error_response(exc.status, exc.code, exc.message)


def validation_error(request: Request, exc: ValidationError) -> JSONResponse:
    problems = exc.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return error_response(400, "bad_request", "the body is not JSON")
    errors = [
        FieldError(field=".".join(map(str, problem["loc"])) or "body", reason=problem["msg"])
        for problem in problems
    ]
    summary = "; ".join(f"{error.field}: {error.reason}" for error in errors[:5])
    return error_response(422, "validation_error", summary, errors)


def crash(request: Request, exc: Exception) -> JSONResponse:
    # This one runs outside the middleware, so the id has to be added here.
    headers = {"X-Request-ID": request.scope.get("request_id", "unknown")}
    return error_response(500, "internal_server_error", "something broke", headers=headers)


handlers = {
    HTTPException: http_error,
    LLMError: llm_error,
    ValidationError: validation_error,
    Exception: crash,
}
