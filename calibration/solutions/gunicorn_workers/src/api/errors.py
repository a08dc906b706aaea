import logging
import uuid
from datetime import UTC, datetime

from fastapi.responses import JSONResponse

log = logging.getLogger("api.errors")


class AppError(Exception):
    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None,
                 retryable: bool = False, outage: bool = False) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.retry_after, self.retryable, self.outage = retry_after, retryable, outage


def respond(error: AppError) -> JSONResponse:
    incident_id = str(uuid.uuid1())
    context = {"incident_id": incident_id, "code": error.code, "status": error.status}
    log.log(logging.ERROR if error.status >= 500 else logging.INFO, error.message, extra={"context": context})
    headers = {} if error.retry_after is None else {"retry-after": f"{max(1, round(error.retry_after))}"}
    return JSONResponse(
        {"detail": {"error": error.code, "message": error.message, "incident_id": incident_id,
                    "timestamp": datetime.now(UTC).isoformat()}},
        error.status, headers,
    )
