"""The forms in which failures are answered, and the log record that goes with each answer.

    {"error": "<slug>", "message": "<for people>", "incident_id": "<uuid>", "timestamp": "<ISO 8601, UTC>"}

Everything under /v1 has OpenAI's form instead, which its clients turn into exceptions:

    {"error": {"message": "<for people>", "type": "<kind>", "code": "<slug>", "param": "<field, or null>"}}

See https://platform.openai.com/docs/guides/error-codes. The record has the incident_id, the request's id, and the
details that the answer keeps back.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Scope

from api.services.errors import ServiceError

log = structlog.get_logger("api.errors")

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def in_openai_form(scope: Scope) -> bool:
    """Whether failures of this request are answered as OpenAI's API answers them."""
    path: str = scope["path"]
    return path.startswith("/v1/")


def openai_error(*, status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """The body of a failure as OpenAI's API has it."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "code": code, "param": param}}


def error_event(error: ServiceError) -> bytes:
    """A failure as the last event of a stream that had begun."""
    content = openai_error(status=error.status, message=error.message, code=error.code, param=error.param)
    return b"data: " + orjson.dumps(content) + b"\n\n"


def error_response(
    scope: Scope,
    *,
    status: int,
    slug: str,
    message: str,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    cause: BaseException | None = None,
    **details: Any,
) -> Response:
    """Answer a failure, and log it with `details`; `cause` adds its traceback."""
    incident_id = str(uuid4())
    level = "error" if status >= 500 else "warning"
    getattr(log, level)(
        "request failed", incident_id=incident_id, error=slug, status=status, exc_info=cause, **details
    )
    if in_openai_form(scope):
        content = openai_error(status=status, message=message, code=code or slug, param=param)
    else:
        content = {
            "error": slug,
            "message": message,
            "incident_id": incident_id,
            "timestamp": datetime.now(UTC).isoformat(),
        }
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def service_error_response(
    error: ServiceError, scope: Scope, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer a failure that is expected: no traceback, and Retry-After in whole seconds, at least one."""
    all_headers = dict(headers or {})
    retry_after = error.default_retry_after if error.retry_after is None else error.retry_after
    if retry_after is not None:
        all_headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if error.status == 401:
        all_headers["WWW-Authenticate"] = "Bearer"
    return error_response(
        scope,
        status=error.status,
        slug=error.slug,
        message=error.message,
        code=error.code,
        param=error.param,
        headers=all_headers,
        reason=str(error),
    )
