from datetime import UTC, datetime
from uuid import uuid4

import structlog
from fastapi.responses import JSONResponse

log = structlog.get_logger("api.errors")


class APIError(Exception):
    def __init__(self, status: int, error: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.error, self.message, self.retry_after = status, error, message, retry_after


def error_response(error: APIError) -> JSONResponse:
    incident_id = str(uuid4())
    write = log.error if error.status >= 500 else log.info
    write(error.error, incident_id=incident_id, status=error.status)
    response = JSONResponse(
        status_code=error.status,
        content={
            "error": error.error,
            "message": error.message,
            "incident_id": incident_id,
            "timestamp": datetime.now(UTC).isoformat(),
        },
    )
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, int(error.retry_after + 0.999)))
    return response
