"""Errors as RFC 9457 describes them, with an incident id that is in the log too."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_hex

from loguru import logger
from pydantic import ValidationError
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


class Problem(HTTPException):
    """An error for the caller, with its cause for the log."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.cause = cause


def problem_response(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    cause: BaseException | None = None,
    **members: object,
) -> ProblemResponse:
    incident = f"inc-{token_hex(8)}"
    title = HTTPStatus(status).phrase
    slug = title.lower().replace(" ", "-")
    logger.bind(incident_id=incident).opt(exception=cause).log(
        "ERROR" if status >= 500 else "WARNING", "{} {}: {}", status, title, detail
    )
    body = {
        "type": str(URL(scope=scope).replace(path=f"/problems/{slug}", query="")),
        "title": title,
        "status": status,
        "detail": detail,
        "error": slug,
        "message": detail,
        "incident_id": incident,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        **members,
    }
    return ProblemResponse(body, status, headers)


async def on_http_exception(request: Request, exc: HTTPException) -> ProblemResponse:
    return problem_response(request.scope, exc.status_code, str(exc.detail), exc.headers, getattr(exc, "cause", None))


async def on_validation_error(request: Request, exc: ValidationError) -> ProblemResponse:
    errors = [
        {"pointer": "/" + "/".join(map(str, error["loc"])), "detail": error["type"]}
        for error in exc.errors(include_input=False, include_context=False, include_url=False)
    ]
    return problem_response(
        request.scope, 422, "The body does not have the expected form", errors=errors
    )


async def on_exception(request: Request, exc: Exception) -> ProblemResponse:
    return problem_response(request.scope, 500, "Something went wrong here", cause=exc)


HANDLERS = {
    HTTPException: on_http_exception,
    ValidationError: on_validation_error,
    Exception: on_exception,
}
