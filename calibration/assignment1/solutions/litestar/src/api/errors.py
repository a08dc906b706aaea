"""{"error": "a_code", "message": "...", "field": "where it is known", "request_id": "..."}"""

import re
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from src.api.request_id import request_id
from src.models.responses import Error
from src.services.errors import ProviderError

log = structlog.get_logger()

PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")
VALUE = re.compile(r"^Invalid enum value '.*'", re.DOTALL)  # of all messages the one that repeats what was sent
NAME = re.compile(r"^(Object missing required field )?`(?P<name>\w+)`")


def answer(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response[Error]:
    body = Error(
        error=code,
        message=message,
        field=msgspec.UNSET if field is None else field,
        request_id=request_id(request.scope),
    )
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Error]:
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_").replace("'", "")
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() != "content-type"}
    return answer(request, status, code, error.detail, headers=headers)


def not_json(request: Request[Any, Any, Any], error: ValueError) -> Response[Error]:
    return answer(request, 400, "not_json", "The body is not valid JSON.")


def invalid(request: Request[Any, Any, Any], error: msgspec.ValidationError) -> Response[Error]:
    """Litestar would say 400. msgspec says where, in its message."""
    field, why = where_and_why(str(error))
    return answer(request, 422, "invalid_request", f"{field}: {why}", field)


def where_and_why(text: str) -> tuple[str, str]:
    """'Expected `int` >= 1 - at `$.max_tokens`' is ('max_tokens', 'Expected `int` >= 1')."""
    found = PATH.search(text)
    path = found["path"] if found else ""
    why = VALUE.sub("Invalid value", text[: found.start()] if found else text)
    if name := NAME.search(why):
        path = ".".join(filter(None, (path, name["name"])))
    return path or "body", why


def provider_error(request: Request[Any, Any, Any], error: ProviderError) -> Response[Error]:
    log.warning("provider error", error=str(error), status=error.status)
    return answer(request, error.status, error.code, f"The provider {error.says}.")


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Error]:
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
    log.error("unexpected error", type=type(error).__name__, at=line)
    return answer(request, 500, "internal_error", "An unexpected error.")


handlers = {
    HTTPException: http_error,
    msgspec.ValidationError: invalid,
    msgspec.DecodeError: not_json,
    UnicodeDecodeError: not_json,
    ProviderError: provider_error,
    Exception: unexpected,
}
