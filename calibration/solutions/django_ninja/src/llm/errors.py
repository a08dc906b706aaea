import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse

logger = logging.getLogger(__name__)


class ApiError(Exception):
    def __init__(self, status: int, message: str, *, cause: object = None, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.cause = cause
        self.retry_after = retry_after


def error_body(status: int, message: str, *, cause: object = None, exc_info: BaseException | None = None) -> dict[str, Any]:
    """The body of an error answer. Its details go to the log, under the same incident id."""
    incident_id = uuid.uuid4().hex
    logger.log(
        logging.ERROR if status >= 500 else logging.WARNING,
        "Answered %d: %s",
        status,
        message,
        extra={"incident_id": incident_id, "status": status, "cause": repr(cause) if cause else None},
        exc_info=exc_info,
    )
    return {
        "error": HTTPStatus(status).name.lower(),
        "message": message,
        "incident_id": incident_id,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def error_response(
    status: int,
    message: str,
    *,
    cause: object = None,
    exc_info: BaseException | None = None,
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    return JsonResponse(error_body(status, message, cause=cause, exc_info=exc_info), status=status, headers=headers)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return error_response(404, "There is no such page")


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    return error_response(400, "The request cannot be read", cause=exception)


def server_error(request: HttpRequest) -> JsonResponse:
    return error_response(500, "Something went wrong")
