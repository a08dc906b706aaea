"""The one form in which failures are answered, and the log record that goes with each answer.

    {"error": "<slug>", "message": "<for people>", "incident_id": "<uuid>", "timestamp": "<ISO 8601, UTC>"}

The record carries the same incident_id, and the details that the answer keeps back.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog
from starlette.responses import JSONResponse

from api.services.errors import ServiceError

log = structlog.get_logger("api.errors")


def error_response(
    *,
    status: int,
    slug: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    cause: BaseException | None = None,
    **details: Any,
) -> JSONResponse:
    """Answer a failure, and log it with `details`; `cause` adds its traceback."""
    incident_id = str(uuid4())
    level = "error" if status >= 500 else "warning"
    getattr(log, level)(
        "request failed", incident_id=incident_id, error=slug, status=status, exc_info=cause, **details
    )
    content = {
        "error": slug,
        "message": message,
        "incident_id": incident_id,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return JSONResponse(content, status_code=status, headers=headers)


def service_error_response(error: ServiceError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Answer a failure that is expected: no traceback, and Retry-After in whole seconds, at least one."""
    all_headers = dict(headers or {})
    retry_after = error.default_retry_after if error.retry_after is None else error.retry_after
    if retry_after is not None:
        all_headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if error.status == 401:
        all_headers["WWW-Authenticate"] = "Bearer"
    return error_response(
        status=error.status,
        slug=error.slug,
        message=error.message,
        headers=all_headers,
        reason=str(error),
    )
